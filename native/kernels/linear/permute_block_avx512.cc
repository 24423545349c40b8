// Permute-block kernels for AVX-512 (permute_block.h): 16 rows are the lanes, a block of 32 or 64
// columns of x lies in two or four registers.
#include "kernels/linear/vector_avx512.h"

namespace espalier {
namespace {

constexpr uint32_t kLanes = 16;

// A block of one sample's inputs. Lanes of columns that do not exist are zero, and no index points
// to them.
template <int kRegisters>
struct Inputs {
  __m512 part[kRegisters];
};

template <int kRegisters>
ESPALIER_INLINE Inputs<kRegisters> load_inputs(const float* x) {
  Inputs<kRegisters> inputs;
  ESPALIER_UNROLL for (int r = 0; r < kRegisters; ++r) {
    inputs.part[r] = _mm512_loadu_ps(x + r * kLanes);
  }
  return inputs;
}

template <int kRegisters>
ESPALIER_INLINE Inputs<kRegisters> load_first_inputs(const float* x, uint32_t n) {
  Inputs<kRegisters> inputs;
  ESPALIER_UNROLL for (int r = 0; r < kRegisters; ++r) {
    const uint32_t before = r * kLanes;
    const uint32_t live = n <= before ? 0 : n - before >= kLanes ? kLanes : n - before;
    inputs.part[r] = _mm512_maskz_loadu_ps(first_lanes(live), x + before);
  }
  return inputs;
}

// x[index] of each lane. A permute looks 32 columns up by the low five bits; an index's sign bit
// says that it means the second 32.
ESPALIER_INLINE __m512 look_up(const Inputs<2>& inputs, __m512i index, __mmask16) {
  return _mm512_permutex2var_ps(inputs.part[0], index, inputs.part[1]);
}
ESPALIER_INLINE __m512 look_up(const Inputs<4>& inputs, __m512i index, __mmask16 second) {
  const __m512 low = _mm512_permutex2var_ps(inputs.part[0], index, inputs.part[1]);
  const __m512 high = _mm512_permutex2var_ps(inputs.part[2], index, inputs.part[3]);
  return _mm512_mask_blend_ps(second, low, high);
}

// One step: the index and the weight of each lane, and which indices mean the second 32 columns.
struct Step {
  __m512i index;
  __mmask16 second;
  __m512 weights;
};

// Steps as they are stored, lanes without a non-zero padded.
class PaddedSteps {
 public:
  __attribute__((always_inline)) PaddedSteps(const PermuteBlockView& view, uint32_t group)
      : weights_(view.weights + static_cast<size_t>(view.group_steps[group]) * kLanes),
        indices_(view.indices + static_cast<size_t>(view.group_steps[group]) * kLanes) {}

  __attribute__((always_inline)) Step next() {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(indices_));
    const Step step = {_mm512_cvtepu8_epi32(bytes), _mm_movepi8_mask(bytes),
                       _mm512_loadu_ps(weights_)};
    weights_ += kLanes;
    indices_ += kLanes;
    return step;
  }

 private:
  const float* weights_;
  const uint8_t* indices_;
};

// The low lanes of `v` go to the lanes of `mask`, in order; the others are zero. The instruction
// waits for its destination even where it zeroes it (Zen 4 and 5): so a zero made afresh is merged
// into, which a compiler would turn back into the form that waits.
ESPALIER_INLINE __m512i expand(__mmask16 mask, __m512i v) {
#if defined(ESPALIER_EMULATE_AVX512)
  return _mm512_maskz_expand_epi32(mask, v);
#else
  __m512i result = _mm512_setzero_si512();
  __asm__("vpexpandd %2, %0%{%1%}" : "+v"(result) : "Yk"(mask), "v"(v));
  return result;
#endif
}

// Steps without their padding, expanded by a mask of the lanes that have a non-zero. The arrays end
// in 16 more entries, so that the last steps may be loaded whole.
class CompressedSteps {
 public:
  __attribute__((always_inline)) CompressedSteps(const PermuteBlockView& view, uint32_t group)
      : masks_(view.masks + view.group_steps[group]),
        weights_(view.weights + view.group_entries[group]),
        indices_(view.indices + view.group_entries[group]) {}

  __attribute__((always_inline)) Step next() {
    // Memory is far away, and two streams advance by amounts that no prefetcher guesses early
    // enough.
    __builtin_prefetch(reinterpret_cast<const char*>(weights_) + kAheadBytes);
    __builtin_prefetch(indices_ + kAheadBytes / sizeof(float));
    const uint32_t bits = *masks_++;
    const __mmask16 mask = static_cast<__mmask16>(bits);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(indices_));
    const __m512i index = expand(mask, _mm512_cvtepu8_epi32(bytes));
    const Step step = {index, _mm512_test_epi32_mask(index, _mm512_set1_epi32(0x80)),
                       _mm512_castsi512_ps(expand(mask, _mm512_loadu_si512(weights_)))};
    const int count = __builtin_popcount(bits);
    weights_ += count;
    indices_ += count;
    return step;
  }

 private:
  static constexpr size_t kAheadBytes = 4096;
  const uint16_t* masks_;
  const float* weights_;
  const uint8_t* indices_;
};

template <int kSamples, int kRegisters>
ESPALIER_INLINE void add_step(const Inputs<kRegisters>* inputs, const Step& step, __m512* sums) {
  ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
    sums[s] = _mm512_fmadd_ps(step.weights, look_up(inputs[s], step.index, step.second), sums[s]);
  }
}

// The 16 sums of one sample to their rows; the lanes that are live and not finite.
ESPALIER_INLINE uint32_t store_group(const PermuteBlockView& view, uint32_t group, __m512 sum,
                                     const Epilogue& epilogue, float* y) {
  sum = _mm512_add_ps(sum, _mm512_loadu_ps(view.bias + group * kLanes));
  const __m512 result = Zmm::activate(epilogue, sum);
  if (view.order == nullptr) {
    const uint32_t row = group * kLanes;
    const __mmask16 live =
        view.rows - row >= kLanes ? __mmask16{0xffff} : first_lanes(view.rows - row);
    _mm512_mask_storeu_ps(y + row, live, result);
    return Zmm::not_finite(sum) & live;
  }
  const uint32_t* rows = view.order + group * kLanes;
  alignas(64) float values[kLanes];
  _mm512_store_ps(values, result);
  // Only the last lanes of a group can be without a row.
  if (rows[kLanes - 1] != kNoLaneRow) {
    ESPALIER_UNROLL for (uint32_t lane = 0; lane < kLanes; ++lane) y[rows[lane]] = values[lane];
    return Zmm::not_finite(sum);
  }
  uint32_t lane = 0;
  for (; rows[lane] != kNoLaneRow; ++lane) y[rows[lane]] = values[lane];
  return Zmm::not_finite(sum) & first_lanes(lane);
}

template <typename Steps, int kSamples, int kRegisters>
bool groups(const PermuteBlockView& view, const Epilogue& epilogue, const SampleBatch& batch,
            uint32_t group_begin, uint32_t group_end) {
  constexpr uint32_t kBlockCols = kRegisters * kLanes;
  const uint32_t partial = view.cols % kBlockCols == 0 ? UINT32_MAX : view.cols / kBlockCols;
  // Two chains for even and odd steps hide the latency of the FMA when there is but one sample.
  constexpr int kChains = kSamples == 1 ? 2 : 1;
  uint32_t bad = 0;
  for (uint32_t group = group_begin; group < group_end; ++group) {
    __m512 sums[kChains][kSamples];
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) sums[c][s] = _mm512_setzero_ps();
    }
    Steps stream(view, group);
    for (uint32_t b = view.group_blocks[group]; b < view.group_blocks[group + 1]; ++b) {
      const uint32_t block = view.blocks[b] >> 8;
      uint32_t steps = view.blocks[b] & 0xff;
      const float* x = batch.x + static_cast<size_t>(block) * kBlockCols;
      Inputs<kRegisters> inputs[kSamples];
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
        inputs[s] = block == partial ? load_first_inputs<kRegisters>(x + s * batch.x_stride,
                                                                     view.cols - block * kBlockCols)
                                     : load_inputs<kRegisters>(x + s * batch.x_stride);
      }
      for (; steps >= 2; steps -= 2) {
        add_step<kSamples>(inputs, stream.next(), sums[0]);
        add_step<kSamples>(inputs, stream.next(), sums[kChains - 1]);
      }
      if (steps != 0) add_step<kSamples>(inputs, stream.next(), sums[0]);
    }
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      const __m512 sum =
          kChains == 1 ? sums[0][s] : _mm512_add_ps(sums[0][s], sums[kChains - 1][s]);
      bad |= store_group(view, group, sum, epilogue, batch.y + s * batch.y_stride);
    }
  }
  return bad == 0;
}

template <typename Steps, int kRegisters>
bool samples(const PermuteBlockView& view, const Epilogue& epilogue, const SampleBatch& batch,
             uint32_t group_begin, uint32_t group_end) {
  switch (batch.n) {
    case 1:
      return groups<Steps, 1, kRegisters>(view, epilogue, batch, group_begin, group_end);
    case 2:
      return groups<Steps, 2, kRegisters>(view, epilogue, batch, group_begin, group_end);
    case 3:
      return groups<Steps, 3, kRegisters>(view, epilogue, batch, group_begin, group_end);
    default:
      return groups<Steps, 4, kRegisters>(view, epilogue, batch, group_begin, group_end);
  }
}

}  // namespace

const PermuteBlockKernels kPermuteBlockAvx512 = {
    kLanes,
    3,
    {{64, 32, false, samples<PaddedSteps, 4>, "pb64", "spmv_f32_pb64_avx512"},
     {32, 32, false, samples<PaddedSteps, 2>, "pb32", "spmv_f32_pb32_avx512"},
     {64, 32, true, samples<CompressedSteps, 4>, "pb64x", "spmv_f32_pb64x_avx512"}}};

}  // namespace espalier
