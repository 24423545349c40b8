// The SELL kernel (sell.h), for any vector type (vector.h).
//
// A step multiplies the weights of all lanes by the input of each lane in turn: sum i takes the
// input of lane i, and of it only lane i counts in the end. That is a full product for each
// non-zero, and still faster than anything that first brings the inputs of different lanes
// together.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_SELL_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_SELL_VECTOR_H_

#include "kernels/linear/vector.h"

namespace espalier {
namespace {

// The columns of four lanes, which one load brings.
ESPALIER_INLINE uint64_t column_four(const uint16_t* columns) {
  uint64_t four;
  __builtin_memcpy(&four, columns, sizeof(four));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  four = __builtin_bswap64(four);
  four = (four & 0x00ff00ff00ff00ffull) << 8 | (four >> 8 & 0x00ff00ff00ff00ffull);
#endif
  return four;
}

constexpr size_t kLine = 64;
// How far in advance weights are asked for. Those that come from memory are two streams, of which
// the prefetchers of a core keep too little on its way: 0.97 of dense at a sparsity of 0.5 without,
// 1.17 with. It costs weights in a cache 2 % at most.
constexpr size_t kAheadBytes = 4096;

// The weights of a step to the sums. W: float, Bfloat16, Float16 or int8_t.
template <typename V, typename W>
ESPALIER_INLINE void add_sell_step(const W* weights, const uint16_t* columns, const float* x,
                                   typename V::Vector* sums) {
  const typename V::Vector lanes = load_weights<V>(weights);
  ESPALIER_UNROLL for (int i = 0; i < V::kWidth; i += 4) {
    const uint64_t four = column_four(columns + i);
    ESPALIER_UNROLL for (int j = 0; j < 4; ++j) {
      sums[i + j] = V::fma(lanes, V::broadcast(x + (four >> 16 * j & 0xffff)), sums[i + j]);
    }
  }
}

template <typename V, typename W>
bool sell_samples(const SellView& view, const Epilogue& epilogue, const float* x, float* y,
                  uint32_t group_begin, uint32_t group_end) {
  constexpr int kLanes = V::kWidth;
  // Sums enough to hide the latency of the FMA.
  constexpr int kChains = kLanes >= 8 ? 1 : 2;
  uint32_t bad = 0;
  const uint16_t* columns =
      view.columns + static_cast<size_t>(view.group_steps[group_begin]) * kLanes;
  const W* weights = static_cast<const W*>(view.weights) +
                     static_cast<size_t>(view.group_steps[group_begin]) * kLanes;
  for (uint32_t group = group_begin; group < group_end; ++group) {
    uint32_t steps = view.group_steps[group + 1] - view.group_steps[group];
    typename V::Vector sums[kChains][kLanes];
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL for (int i = 0; i < kLanes; ++i) sums[c][i] = V::zero();
    }
    const auto add_step = [&](int chain) __attribute__((always_inline)) {
      add_sell_step<V>(weights, columns, x, sums[chain]);
      weights += kLanes;
      columns += kLanes;
    };
    for (; steps >= 4; steps -= 4) {
      ESPALIER_UNROLL for (size_t line = 0; line < 4 * kLanes * sizeof(W); line += kLine) {
        __builtin_prefetch(reinterpret_cast<const char*>(weights) + kAheadBytes + line);
      }
      __builtin_prefetch(columns + kAheadBytes / sizeof(uint16_t));
      for (int pair = 0; pair < 2; ++pair) {
        add_step(0);
        add_step(kChains - 1);
      }
    }
    if (steps >= 2) {
      steps -= 2;
      add_step(0);
      add_step(kChains - 1);
    }
    if (steps != 0) add_step(0);
    if (kChains == 2) {
      ESPALIER_UNROLL for (int i = 0; i < kLanes; ++i) {
        sums[0][i] = V::add(sums[0][i], sums[kChains - 1][i]);
      }
    }
    const typename V::Vector bias = V::load(view.bias + static_cast<size_t>(group) * kLanes);
    // Only int8 has scales.
    const typename V::Vector sum =
        sizeof(W) == 1 ? V::fma(V::diagonal(sums[0]),
                                V::load(view.scales + static_cast<size_t>(group) * kLanes), bias)
                       : V::add(V::diagonal(sums[0]), bias);
    const typename V::Vector result = V::activate(epilogue, sum);
    const uint32_t* rows = view.order + static_cast<size_t>(group) * kLanes;
    alignas(64) float values[kLanes];
    V::store(values, result);
    // Only the last lanes of a group can be without a row.
    int lane = 0;
    for (; lane < kLanes && rows[lane] != kNoLaneRow; ++lane) y[rows[lane]] = values[lane];
    bad |= V::not_finite(sum) & ((1u << lane) - 1);
  }
  return bad == 0;
}

template <typename V, typename W>
bool sell_batch(const SellView& view, const Epilogue& epilogue, const SampleBatch& batch,
                uint32_t group_begin, uint32_t group_end) {
  bool finite = true;
  for (int s = 0; s < batch.n; ++s) {
    finite &= sell_samples<V, W>(view, epilogue, batch.x + s * batch.x_stride,
                                 batch.y + s * batch.y_stride, group_begin, group_end);
  }
  return finite;
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_SELL_VECTOR_H_
