// Short permute-block kernels for AVX2 (short_blocks.h).
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_avx2.h"

namespace espalier {
namespace {

constexpr uint32_t kLanes = 8;

// A block of x in a register, and the permute that looks indices up in it.
template <int kCols>
ESPALIER_INLINE __m256 block_inputs(const float* x) {
  return kCols == 4 ? _mm256_broadcast_ps(reinterpret_cast<const __m128*>(x)) : _mm256_loadu_ps(x);
}
template <int kCols>
ESPALIER_INLINE __m256 look_up(__m256 inputs, __m256i index) {
  return kCols == 4 ? _mm256_permutevar_ps(inputs, index) : _mm256_permutevar8x32_ps(inputs, index);
}

// Permutes and shifts want the same two ports of a core, products have others to themselves. So an
// index is brought down to the lowest bits of its lane by a product that keeps the upper half,
// which is a shift of the lower 16 bits, three times out of four.
template <int kCols>
struct Indices {
  static constexpr int kBits = kCols == 4 ? 2 : 3;
  static constexpr int kWordSteps = 32 / kBits;
  __m256i word;
  __m256i factors[3];  // 2^(16 - k kBits) for k from 1 to 3

  ESPALIER_INLINE Indices start() {
    Indices indices;
    for (int k = 1; k < 4; ++k) {
      indices.factors[k - 1] = _mm256_set1_epi16(static_cast<int16_t>(1 << (16 - k * kBits)));
      // Else the compiler knows them, and makes shifts of the products.
      asm("" : "+x"(indices.factors[k - 1]));
    }
    return indices;
  }
  __attribute__((always_inline)) void load(const uint32_t* words) {
    word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  }
  __attribute__((always_inline)) void skip(int steps) {
    word = _mm256_srli_epi32(word, kBits * steps);
  }
};

// Where a group's weights, indices and offsets are read. W: float, Bfloat16, Float16 or int8_t.
template <typename W>
struct Cursor {
  const W* weights;
  const uint32_t* words;
  const uint16_t* offsets;
};

// Blocks of kSteps steps each, kBlocks of them, their indices from the lowest bits of the word on.
template <int kCols, int kSamples, int kChains, int kSteps, int kBlocks, typename W>
ESPALIER_INLINE void add_blocks(Cursor<W>& cursor, const Indices<kCols>& indices,
                                const SampleBatch& batch, __m256 (*sums)[kSamples]) {
  __m256i four = indices.word;  // from the next multiple of four steps on
  ESPALIER_UNROLL for (int b = 0; b < kBlocks; ++b) {
    const uint32_t offset = cursor.offsets[b];
    __m256 inputs[kSamples];
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      inputs[s] = block_inputs<kCols>(batch.x + s * batch.x_stride + offset);
    }
    ESPALIER_UNROLL for (int step = 0; step < kSteps; ++step) {
      const int at = b * kSteps + step;
      if (at % 4 == 0 && at > 0) {
        four = _mm256_srli_epi32(indices.word, Indices<kCols>::kBits * at);
      }
      const __m256i index =
          at % 4 == 0 ? four : _mm256_mulhi_epu16(four, indices.factors[(at + 3) % 4]);
      const __m256 lanes = load_weights<Ymm>(cursor.weights + at * kLanes);
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
        sums[at % kChains][s] =
            _mm256_fmadd_ps(lanes, look_up<kCols>(inputs[s], index), sums[at % kChains][s]);
      }
    }
  }
  // Prefetchers of a core keep up with a stream that is as fast as this one only with help.
  if (kBlocks * kSteps >= 8) {
    constexpr int kBytes = kBlocks * kSteps * kLanes * static_cast<int>(sizeof(W));
    ESPALIER_UNROLL for (int line = 0; line < kBytes; line += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(cursor.weights) + 2048 + line);
    }
  }
  cursor.offsets += kBlocks;
  cursor.weights += kBlocks * kSteps * kLanes;
}

// All blocks of a group that have kSteps steps.
template <int kCols, int kSamples, int kChains, int kSteps, typename W>
ESPALIER_INLINE void add_run(Cursor<W>& cursor, Indices<kCols>& indices, uint32_t blocks,
                             const SampleBatch& batch, __m256 (*sums)[kSamples]) {
  constexpr int kWordBlocks = Indices<kCols>::kWordSteps / kSteps;
  for (; blocks >= kWordBlocks; blocks -= kWordBlocks, cursor.words += kLanes) {
    indices.load(cursor.words);
    add_blocks<kCols, kSamples, kChains, kSteps, kWordBlocks>(cursor, indices, batch, sums);
  }
  if (kWordBlocks == 1 || blocks == 0) return;
  indices.load(cursor.words);
  cursor.words += kLanes;
  constexpr int kSome = kSteps == 1 ? 4 : 2;
  for (; kWordBlocks > kSome && blocks >= kSome; blocks -= kSome) {
    add_blocks<kCols, kSamples, kChains, kSteps, kSome>(cursor, indices, batch, sums);
    indices.skip(kSome * kSteps);
  }
  for (; blocks > 0; --blocks) {
    add_blocks<kCols, kSamples, kChains, kSteps, 1>(cursor, indices, batch, sums);
    indices.skip(kSteps);
  }
}

// The sums of a tail.
template <typename W>
ESPALIER_INLINE __m256 tail_sums(const W* weights, const uint16_t* columns, uint32_t steps,
                                 const float* x) {
  __m256 sums[kLanes];
  ESPALIER_UNROLL for (uint32_t i = 0; i < kLanes; ++i) sums[i] = _mm256_setzero_ps();
  for (; steps >= 2; steps -= 2) {
    __builtin_prefetch(reinterpret_cast<const char*>(weights) + 2048);
    add_sell_step<Ymm>(weights, columns, x, sums);
    add_sell_step<Ymm>(weights + kLanes, columns + kLanes, x, sums);
    weights += 2 * kLanes;
    columns += 2 * kLanes;
  }
  if (steps != 0) add_sell_step<Ymm>(weights, columns, x, sums);
  return Ymm::diagonal(sums);
}

// The 8 sums of one sample to their rows; whether a live one is not finite.
template <bool kScaled>
ESPALIER_INLINE uint32_t store_group(const ShortBlocksView& view, uint32_t group, __m256 sum,
                                     const Epilogue& epilogue, float* y) {
  const size_t first = static_cast<size_t>(group) * kLanes;
  const __m256 bias = _mm256_loadu_ps(view.bias + first);
  sum = kScaled ? _mm256_fmadd_ps(sum, _mm256_loadu_ps(view.scales + first), bias)
                : _mm256_add_ps(sum, bias);
  const __m256 result = Ymm::activate(epilogue, sum);
  if (view.order == nullptr) {
    const uint32_t row = group * kLanes;
    const uint32_t live = view.rows - row < kLanes ? view.rows - row : kLanes;
    Ymm::store_first(y + row, result, live);
    return Ymm::not_finite(sum) & ((1u << live) - 1);
  }
  const uint32_t* rows = view.order + first;
  alignas(32) float values[kLanes];
  _mm256_store_ps(values, result);
  // Only the last lanes of a group can be without a row.
  uint32_t lane = 0;
  for (; lane < kLanes && rows[lane] != kNoLaneRow; ++lane) y[rows[lane]] = values[lane];
  return Ymm::not_finite(sum) & ((1u << lane) - 1);
}

template <int kCols, typename W, int kSamples>
bool groups(const ShortBlocksView& view, const Epilogue& epilogue, const SampleBatch& batch,
            uint32_t group_begin, uint32_t group_end) {
  // Enough sums to hide the latency of the FMA, few enough for the registers.
  constexpr int kChains = kSamples == 1 ? 4 : kSamples == 2 ? 2 : 1;
  uint32_t bad = 0;
  Cursor<W> cursor = {static_cast<const W*>(view.weights) +
                          static_cast<size_t>(view.group_steps[group_begin]) * kLanes,
                      view.words + static_cast<size_t>(view.group_words[group_begin]) * kLanes,
                      view.offsets + view.group_blocks[group_begin]};
  Indices<kCols> indices = Indices<kCols>::start();
  for (uint32_t group = group_begin; group < group_end; ++group) {
    __m256 sums[kChains][kSamples];
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) sums[c][s] = _mm256_setzero_ps();
    }
    const uint32_t* runs = view.runs + static_cast<size_t>(group) * kCols;
    add_run<kCols, kSamples, kChains, 1>(cursor, indices, runs[0], batch, sums);
    add_run<kCols, kSamples, kChains, 2>(cursor, indices, runs[1], batch, sums);
    add_run<kCols, kSamples, kChains, 3>(cursor, indices, runs[2], batch, sums);
    add_run<kCols, kSamples, kChains, 4>(cursor, indices, runs[3], batch, sums);
    if (kCols == 8) {
      add_run<kCols, kSamples, kChains, 5>(cursor, indices, runs[4 % kCols], batch, sums);
      add_run<kCols, kSamples, kChains, 6>(cursor, indices, runs[5 % kCols], batch, sums);
      add_run<kCols, kSamples, kChains, 7>(cursor, indices, runs[6 % kCols], batch, sums);
      add_run<kCols, kSamples, kChains, 8>(cursor, indices, runs[7 % kCols], batch, sums);
    }
    const uint32_t tail = view.group_tails[group + 1] - view.group_tails[group];
    const uint16_t* columns = view.tail_columns + size_t{view.group_tails[group]} * kLanes;
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      __m256 sum = sums[0][s];
      if (kChains == 2) sum = _mm256_add_ps(sum, sums[1 % kChains][s]);
      if (kChains == 4) {
        sum = _mm256_add_ps(_mm256_add_ps(sum, sums[1 % kChains][s]),
                            _mm256_add_ps(sums[2 % kChains][s], sums[3 % kChains][s]));
      }
      if (tail > 0) {
        sum = _mm256_add_ps(sum,
                            tail_sums(cursor.weights, columns, tail, batch.x + s * batch.x_stride));
      }
      bad |= store_group<sizeof(W) == 1>(view, group, sum, epilogue, batch.y + s * batch.y_stride);
    }
    cursor.weights += size_t{tail} * kLanes;
  }
  return bad == 0;
}

template <int kCols, typename W>
bool samples(const ShortBlocksView& view, const Epilogue& epilogue, const SampleBatch& batch,
             uint32_t begin, uint32_t end) {
  switch (batch.n) {
    case 1:
      return groups<kCols, W, 1>(view, epilogue, batch, begin, end);
    case 2:
      return groups<kCols, W, 2>(view, epilogue, batch, begin, end);
    case 3:
      return groups<kCols, W, 3>(view, epilogue, batch, begin, end);
    default:
      return groups<kCols, W, 4>(view, epilogue, batch, begin, end);
  }
}

}  // namespace

const ShortBlocksKernels kShortBlocksAvx2 = {
    {{4,
      {{samples<4, float>, "pb4", "spmv_f32_pb4_avx2"},
       {samples<4, Bfloat16>, "pb4_bf16", "spmv_bf16_pb4_avx2"},
       {samples<4, Float16>, "pb4_f16", "spmv_f16_pb4_avx2"},
       {samples<4, int8_t>, "pb4_i8", "spmv_i8_pb4_avx2"}}},
     {8,
      {{samples<8, float>, "pb8", "spmv_f32_pb8_avx2"},
       {samples<8, Bfloat16>, "pb8_bf16", "spmv_bf16_pb8_avx2"},
       {samples<8, Float16>, "pb8_f16", "spmv_f16_pb8_avx2"},
       {samples<8, int8_t>, "pb8_i8", "spmv_i8_pb8_avx2"}}}}};

}  // namespace espalier
