// Dense kernels for AVX-512 over tiles of 16 rows (dense_tiles.h).
#include "kernels/linear/avx512_common.h"

namespace espalier {
namespace {

constexpr uint32_t kLanes = 16;

// ---- One to four samples: the 16 rows of a tile are the lanes, an input is broadcast to them.
// ----

// kChains partial sums a row, over columns of the same remainder, hide the latency of the FMA. They
// are the same however many tiles go together, so that the split into parts does not change the
// result.
template <int kTiles, int kSamples, int kChains>
ESPALIER_INLINE __mmask16 samples_tiles(const float* weights, uint32_t rows, uint32_t cols,
                                        const Epilogue& epilogue, const SampleBatch& batch,
                                        uint32_t tile) {
  const size_t tile_size = static_cast<size_t>(cols) * kLanes;
  const float* w = weights + tile * tile_size;
  __m512 sums[kTiles][kSamples][kChains];
  ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) sums[t][s][c] = _mm512_setzero_ps();
    }
  }
  const float* x[kSamples];
  ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) x[s] = batch.x + s * batch.x_stride;
  uint32_t col = 0;
  for (; col + kChains <= cols; col += kChains, w += kChains * kLanes) {
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) {
      __m512 inputs[kSamples];
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) inputs[s] = _mm512_set1_ps(x[s][col + c]);
      ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
        const __m512 lanes = _mm512_loadu_ps(w + t * tile_size + c * kLanes);
        ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
          sums[t][s][c] = _mm512_fmadd_ps(lanes, inputs[s], sums[t][s][c]);
        }
      }
    }
  }
  for (; col < cols; ++col, w += kLanes) {
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      const __m512 input = _mm512_set1_ps(x[s][col]);
      ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
        sums[t][s][0] = _mm512_fmadd_ps(_mm512_loadu_ps(w + t * tile_size), input, sums[t][s][0]);
      }
    }
  }
  __mmask16 bad = 0;
  ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
    const uint32_t row = (tile + t) * kLanes;
    const __mmask16 live = rows - row >= kLanes ? 0xffff : first_lanes(rows - row);
    const __m512 bias = _mm512_loadu_ps(epilogue.bias + row);
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
      __m512 sum = sums[t][s][0];
      if (kChains == 2) sum = _mm512_add_ps(sum, sums[t][s][kChains - 1]);
      if (kChains == 4) {
        sum = _mm512_add_ps(_mm512_add_ps(sum, sums[t][s][1 % kChains]),
                            _mm512_add_ps(sums[t][s][2 % kChains], sums[t][s][3 % kChains]));
      }
      sum = _mm512_add_ps(sum, bias);
      bad |= not_finite(sum) & live;
      _mm512_mask_storeu_ps(batch.y + s * batch.y_stride + row, live, apply(epilogue, sum));
    }
  }
  return bad;
}

template <int kSamples, int kChains>
bool samples_n(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
               const SampleBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  __mmask16 bad = 0;
  uint32_t tile = tile_begin;
  for (; tile + 4 <= tile_end; tile += 4) {
    bad |= samples_tiles<4, kSamples, kChains>(weights, rows, cols, epilogue, batch, tile);
  }
  for (; tile + 2 <= tile_end; tile += 2) {
    bad |= samples_tiles<2, kSamples, kChains>(weights, rows, cols, epilogue, batch, tile);
  }
  for (; tile < tile_end; ++tile) {
    bad |= samples_tiles<1, kSamples, kChains>(weights, rows, cols, epilogue, batch, tile);
  }
  return bad == 0;
}

bool samples(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
             const SampleBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  switch (batch.n) {
    case 1:
      return samples_n<1, 4>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
    case 2:
      return samples_n<2, 2>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
    case 3:
      return samples_n<3, 2>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
    default:
      return samples_n<4, 1>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
  }
}

// ---- A panel: the columns are the lanes, a weight is broadcast to them. ----

struct Zmm {
  using Vector = __m512;
  static constexpr int kWidth = 16;
  ESPALIER_INLINE Vector zero() { return _mm512_setzero_ps(); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm512_set1_ps(*p); }
  ESPALIER_INLINE Vector load(const float* p) { return _mm512_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) { return apply(epilogue, v); }
  ESPALIER_INLINE uint32_t bad(Vector v) { return not_finite(v); }
};

// Eight columns at most: half a register, at twice the rate where 512-bit operations are split in
// two.
struct Ymm {
  using Vector = __m256;
  static constexpr int kWidth = 8;
  ESPALIER_INLINE Vector zero() { return _mm256_setzero_ps(); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm256_set1_ps(*p); }
  ESPALIER_INLINE Vector load(const float* p) { return _mm256_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
    return _mm512_castps512_ps256(apply(epilogue, _mm512_castps256_ps512(v)));
  }
  ESPALIER_INLINE uint32_t bad(Vector v) { return _mm256_fpclass_ps_mask(v, 0x99); }
};

struct ColumnBlock {
  uint32_t begin;
  uint32_t end;
  bool first;  // sums start from the bias and not from y
  bool last;   // the activation follows
};

// kRows neighbouring rows of a tile by kVectors vectors of columns, the sums in registers.
template <typename V, int kRows, int kVectors>
ESPALIER_INLINE uint32_t panel_rows(const float* w, size_t tile_size, const float* x, size_t ldx,
                                    float* y, size_t ldy, const float* bias, uint32_t live_rows,
                                    const Epilogue& epilogue, ColumnBlock block,
                                    uint32_t live_lanes) {
  typename V::Vector sums[kRows][kVectors];
  ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
    const bool load = !block.first && static_cast<uint32_t>(r) < live_rows;
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = load ? V::load(y + r * ldy + v * V::kWidth) : V::broadcast(bias + r);
    }
  }
  for (uint32_t col = block.begin; col < block.end; ++col, w += kLanes, x += ldx) {
    // The same place of the next tile: weights come from far away, and only once a panel.
    _mm_prefetch(reinterpret_cast<const char*>(w + tile_size), _MM_HINT_T1);
    typename V::Vector inputs[kVectors];
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) inputs[v] = V::load(x + v * V::kWidth);
    ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
      const typename V::Vector weight = V::broadcast(w + r);
      ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = V::fma(weight, inputs[v], sums[r][v]);
      }
    }
  }
  uint32_t bad = 0;
  ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
    if (static_cast<uint32_t>(r) >= live_rows) break;
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      typename V::Vector sum = sums[r][v];
      if (block.last) {
        bad |= v + 1 == kVectors ? V::bad(sum) & live_lanes : V::bad(sum);
        sum = V::activate(epilogue, sum);
      }
      V::store(y + r * ldy + v * V::kWidth, sum);
    }
  }
  return bad;
}

// The columns of W go in blocks, so that the block of the panel stays in the first-level cache
// while all tiles pass over it.
constexpr uint32_t kPanelBlockBytes = 20 * 1024;

template <typename V, int kRows, int kVectors>
bool panel_n(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
             const PanelBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  constexpr uint32_t kMostCols = kPanelBlockBytes / (kVectors * V::kWidth * sizeof(float));
  const uint32_t blocks = cols <= kMostCols ? 1 : (cols + kMostCols - 1) / kMostCols;
  const uint32_t block_cols = (cols + blocks - 1) / blocks;
  const uint32_t live_lanes = (1u << (batch.n - (kVectors - 1) * V::kWidth)) - 1;
  uint32_t bad = 0;
  for (uint32_t b = 0; b < blocks; ++b) {
    const uint32_t begin = b * block_cols;
    const uint32_t end = begin + block_cols < cols ? begin + block_cols : cols;
    const ColumnBlock block = {begin, end, b == 0, b + 1 == blocks};
    const float* x = batch.x + begin * batch.ldx;
    for (uint32_t tile = tile_begin; tile < tile_end; ++tile) {
      const float* w = weights + (static_cast<size_t>(tile) * cols + begin) * kLanes;
      for (uint32_t r = 0; r < kLanes; r += kRows) {
        const uint32_t row = tile * kLanes + r;
        if (row >= rows) break;
        bad |= panel_rows<V, kRows, kVectors>(
            w + r, static_cast<size_t>(cols) * kLanes, x, batch.ldx, batch.y + row * batch.ldy,
            batch.ldy, epilogue.bias + row, rows - row, epilogue, block, live_lanes);
      }
    }
  }
  return bad == 0;
}

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  if (batch.n <= 8) {
    return panel_n<Ymm, 16, 1>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
  }
  switch ((batch.n + 15) / 16) {
    case 1:
      return panel_n<Zmm, 16, 1>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
    case 2:
      return panel_n<Zmm, 8, 2>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
    case 3:
      return panel_n<Zmm, 8, 3>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
    default:
      return panel_n<Zmm, 4, 4>(weights, rows, cols, epilogue, batch, tile_begin, tile_end);
  }
}

}  // namespace

const DenseKernels kDenseAvx512 = {samples, panel};

}  // namespace espalier
