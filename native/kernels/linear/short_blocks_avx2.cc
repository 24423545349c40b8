// Short permute-block kernels for AVX2 (short_blocks.h).
#include "kernels/linear/vector_avx2.h"

namespace espalier {
namespace {

constexpr uint32_t kLanes = 8;
constexpr int kWordSteps = 16;

// Where a group's weights, indices and offsets are read.
struct Cursor {
  const float* weights;
  const uint32_t* words;
  const uint16_t* offsets;
};

ESPALIER_INLINE __m256 block_inputs(const float* x) {
  return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(x));
}

// Blocks of kSteps steps each, kBlocks of them, their indices in the lowest bits of `word`.
template <int kSamples, int kChains, int kSteps, int kBlocks>
ESPALIER_INLINE void add_blocks(Cursor& cursor, __m256i& word, const SampleBatch& batch,
                                __m256 (*sums)[kSamples]) {
  ESPALIER_UNROLL for (int b = 0; b < kBlocks; ++b) {
    const uint32_t offset = cursor.offsets[b];
    __m256 inputs[kSamples];
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      inputs[s] = block_inputs(batch.x + s * batch.x_stride + offset);
    }
    ESPALIER_UNROLL for (int step = 0; step < kSteps; ++step) {
      const int at = b * kSteps + step;
      const __m256i index = at == 0 ? word : _mm256_srli_epi32(word, 2 * at);
      const __m256 lanes = _mm256_loadu_ps(cursor.weights + at * kLanes);
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
        sums[at % kChains][s] =
            _mm256_fmadd_ps(lanes, _mm256_permutevar_ps(inputs[s], index), sums[at % kChains][s]);
      }
    }
  }
  cursor.offsets += kBlocks;
  cursor.weights += kBlocks * kSteps * kLanes;
}

// All blocks of a group that have kSteps steps.
template <int kSamples, int kChains, int kSteps>
ESPALIER_INLINE void add_run(Cursor& cursor, uint32_t blocks, const SampleBatch& batch,
                             __m256 (*sums)[kSamples]) {
  constexpr int kWordBlocks = kWordSteps / kSteps;
  for (; blocks >= kWordBlocks; blocks -= kWordBlocks, cursor.words += kLanes) {
    __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(cursor.words));
    add_blocks<kSamples, kChains, kSteps, kWordBlocks>(cursor, word, batch, sums);
  }
  if (blocks == 0) return;
  __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(cursor.words));
  cursor.words += kLanes;
  constexpr int kSome = kSteps == 1 ? 4 : 2;
  for (; blocks >= kSome; blocks -= kSome) {
    add_blocks<kSamples, kChains, kSteps, kSome>(cursor, word, batch, sums);
    word = _mm256_srli_epi32(word, 2 * kSome * kSteps);
  }
  for (; blocks > 0; --blocks) {
    add_blocks<kSamples, kChains, kSteps, 1>(cursor, word, batch, sums);
    word = _mm256_srli_epi32(word, 2 * kSteps);
  }
}

// The 8 sums of one sample to their rows; whether a live one is not finite.
ESPALIER_INLINE uint32_t store_group(const ShortBlocksView& view, uint32_t group, __m256 sum,
                                     const Epilogue& epilogue, float* y) {
  sum = _mm256_add_ps(sum, _mm256_loadu_ps(view.bias + static_cast<size_t>(group) * kLanes));
  const __m256 result = Ymm::activate(epilogue, sum);
  if (view.order == nullptr) {
    const uint32_t row = group * kLanes;
    const uint32_t live = view.rows - row < kLanes ? view.rows - row : kLanes;
    Ymm::store_first(y + row, result, live);
    return Ymm::not_finite(sum) & ((1u << live) - 1);
  }
  const uint32_t* rows = view.order + static_cast<size_t>(group) * kLanes;
  alignas(32) float values[kLanes];
  _mm256_store_ps(values, result);
  // Only the last lanes of a group can be without a row.
  uint32_t lane = 0;
  for (; lane < kLanes && rows[lane] != kNoLaneRow; ++lane) y[rows[lane]] = values[lane];
  return Ymm::not_finite(sum) & ((1u << lane) - 1);
}

template <int kSamples>
bool groups(const ShortBlocksView& view, const Epilogue& epilogue, const SampleBatch& batch,
            uint32_t group_begin, uint32_t group_end) {
  // Enough sums to hide the latency of the FMA, few enough for the registers.
  constexpr int kChains = kSamples == 1 ? 4 : kSamples == 2 ? 2 : 1;
  uint32_t bad = 0;
  Cursor cursor = {view.weights + static_cast<size_t>(view.group_steps[group_begin]) * kLanes,
                   view.words + static_cast<size_t>(view.group_words[group_begin]) * kLanes,
                   view.offsets + view.group_blocks[group_begin]};
  for (uint32_t group = group_begin; group < group_end; ++group) {
    __m256 sums[kChains][kSamples];
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) sums[c][s] = _mm256_setzero_ps();
    }
    const uint32_t* runs = view.runs + static_cast<size_t>(group) * 4;
    add_run<kSamples, kChains, 1>(cursor, runs[0], batch, sums);
    add_run<kSamples, kChains, 2>(cursor, runs[1], batch, sums);
    add_run<kSamples, kChains, 3>(cursor, runs[2], batch, sums);
    add_run<kSamples, kChains, 4>(cursor, runs[3], batch, sums);
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      __m256 sum = sums[0][s];
      if (kChains == 2) sum = _mm256_add_ps(sum, sums[1 % kChains][s]);
      if (kChains == 4) {
        sum = _mm256_add_ps(_mm256_add_ps(sum, sums[1 % kChains][s]),
                            _mm256_add_ps(sums[2 % kChains][s], sums[3 % kChains][s]));
      }
      bad |= store_group(view, group, sum, epilogue, batch.y + s * batch.y_stride);
    }
  }
  return bad == 0;
}

bool samples(const ShortBlocksView& view, const Epilogue& epilogue, const SampleBatch& batch,
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

const ShortBlocksKernels kShortBlocksAvx2 = {samples, "pb4", "spmv_f32_pb4_avx2"};

}  // namespace espalier
