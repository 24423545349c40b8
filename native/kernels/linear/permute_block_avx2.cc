// Permute-block kernels for AVX2 (permute_block.h): 8 rows are the lanes, a block of 16 columns of
// x lies in two registers.
#include "kernels/linear/vector_avx2.h"

namespace espalier {
namespace {

constexpr uint32_t kLanes = 8;
constexpr uint32_t kBlockCols = 16;

struct Inputs {
  __m256 low;
  __m256 high;
};

// The low three bits of an index choose a lane, its sign the register.
ESPALIER_INLINE __m256 look_up(const Inputs& inputs, __m256i index) {
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(inputs.low, index),
                          _mm256_permutevar8x32_ps(inputs.high, index), _mm256_castsi256_ps(index));
}

template <int kSamples>
ESPALIER_INLINE void add_step(const Inputs* inputs, const float* weights, const uint8_t* indices,
                              __m256* sums) {
  const __m256i index =
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(indices)));
  const __m256 lanes = _mm256_loadu_ps(weights);
  ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
    sums[s] = _mm256_fmadd_ps(lanes, look_up(inputs[s], index), sums[s]);
  }
}

// The 8 sums of one sample to their rows; whether a live one is not finite.
ESPALIER_INLINE uint32_t store_group(const PermuteBlockView& view, uint32_t group, __m256 sum,
                                     const Epilogue& epilogue, float* y) {
  sum = _mm256_add_ps(sum, _mm256_loadu_ps(view.bias + group * kLanes));
  const __m256 result = Ymm::activate(epilogue, sum);
  if (view.order == nullptr) {
    const uint32_t row = group * kLanes;
    const uint32_t live = view.rows - row < kLanes ? view.rows - row : kLanes;
    Ymm::store_first(y + row, result, live);
    return Ymm::not_finite(sum) & ((1u << live) - 1);
  }
  const uint32_t* rows = view.order + group * kLanes;
  alignas(32) float values[kLanes];
  _mm256_store_ps(values, result);
  // Only the last lanes of a group can be without a row.
  uint32_t lane = 0;
  for (; lane < kLanes && rows[lane] != kNoLaneRow; ++lane) y[rows[lane]] = values[lane];
  return Ymm::not_finite(sum) & ((1u << lane) - 1);
}

ESPALIER_INLINE Inputs load_inputs(const float* x, uint32_t n) {
  if (n >= kBlockCols) return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + kLanes)};
  const uint32_t high = n <= kLanes ? 0 : n - kLanes;
  return {_mm256_maskload_ps(x, first_lanes(n)),
          high == 0 ? _mm256_setzero_ps() : _mm256_maskload_ps(x + kLanes, first_lanes(high))};
}

template <int kSamples>
bool groups(const PermuteBlockView& view, const Epilogue& epilogue, const SampleBatch& batch,
            uint32_t group_begin, uint32_t group_end) {
  // Two chains for even and odd steps hide the latency of the FMA when there is but one sample.
  constexpr int kChains = kSamples == 1 ? 2 : 1;
  uint32_t bad = 0;
  for (uint32_t group = group_begin; group < group_end; ++group) {
    __m256 sums[kChains][kSamples];
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) sums[c][s] = _mm256_setzero_ps();
    }
    const float* weights = view.weights + static_cast<size_t>(view.group_steps[group]) * kLanes;
    const uint8_t* indices = view.indices + static_cast<size_t>(view.group_steps[group]) * kLanes;
    for (uint32_t b = view.group_blocks[group]; b < view.group_blocks[group + 1]; ++b) {
      const uint32_t block = view.blocks[b] >> 8;
      uint32_t steps = view.blocks[b] & 0xff;
      Inputs inputs[kSamples];
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
        inputs[s] =
            load_inputs(batch.x + s * batch.x_stride + static_cast<size_t>(block) * kBlockCols,
                        view.cols - block * kBlockCols);
      }
      for (; steps >= 2; steps -= 2, weights += 2 * kLanes, indices += 2 * kLanes) {
        add_step<kSamples>(inputs, weights, indices, sums[0]);
        add_step<kSamples>(inputs, weights + kLanes, indices + kLanes, sums[kChains - 1]);
      }
      if (steps != 0) {
        add_step<kSamples>(inputs, weights, indices, sums[0]);
        weights += kLanes;
        indices += kLanes;
      }
    }
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      const __m256 sum =
          kChains == 1 ? sums[0][s] : _mm256_add_ps(sums[0][s], sums[kChains - 1][s]);
      bad |= store_group(view, group, sum, epilogue, batch.y + s * batch.y_stride);
    }
  }
  return bad == 0;
}

bool samples(const PermuteBlockView& view, const Epilogue& epilogue, const SampleBatch& batch,
             uint32_t begin, uint32_t end) {
  switch (batch.n) {
    case 1:
      return groups<1>(view, epilogue, batch, begin, end);
    case 2:
      return groups<2>(view, epilogue, batch, begin, end);
    case 3:
      return groups<3>(view, epilogue, batch, begin, end);
    default:
      return groups<4>(view, epilogue, batch, begin, end);
  }
}

}  // namespace

const PermuteBlockKernels kPermuteBlockAvx2 = {
    kLanes, 1, {{kBlockCols, kLanes, false, samples, "pb16", "spmv_f32_pb16_avx2"}}};

}  // namespace espalier
