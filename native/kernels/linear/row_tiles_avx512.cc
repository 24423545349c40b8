// Row-tile kernels for AVX-512 (row_tile.h): the columns of the panel are the lanes, a weight is
// broadcast to them.
#include "kernels/linear/avx512_common.h"
#include "sparse/row_tile.h"

namespace espalier {
namespace {

struct Zmm {
  using Vector = __m512;
  static constexpr int kWidth = 16;
  ESPALIER_INLINE Vector load(const float* p) { return _mm512_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm512_set1_ps(*p); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) { return apply(epilogue, v); }
};

// For panels of at most eight columns.
struct Ymm {
  using Vector = __m256;
  static constexpr int kWidth = 8;
  ESPALIER_INLINE Vector load(const float* p) { return _mm256_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm256_set1_ps(*p); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
    return _mm512_castps512_ps256(apply(epilogue, _mm512_castps256_ps512(v)));
  }
};

// The inputs of one stored column. kScale is ld * 4 / kColumnUnit where that is a scale of x86
// addresses, else 0.
template <int kScale>
ESPALIER_INLINE const float* inputs_at(const float* x, size_t ldx, uint32_t column) {
  if (kScale == 0) return x + column / kColumnUnit * ldx;
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(x) +
                                        static_cast<size_t>(column) * kScale);
}

struct TileContext {
  const float* x;  // at the tile's first column
  size_t ldx;
  float* y;  // at the tile's first row
  size_t ldy;
  const float* bias;  // at the tile's first row
  const Epilogue* epilogue;
  bool first, last;
};

// kRows rows whose entries are interleaved, the sums in registers.
template <typename V, int kVectors, int kScale, int kRows>
ESPALIER_INLINE void tile_rows(const TileContext& tile, const uint16_t* rows, uint32_t steps,
                               const uint16_t* columns, const float* weights) {
  typename V::Vector sums[kRows][kVectors];
  float* y[kRows];
  ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
    y[r] = tile.y + rows[r] * tile.ldy;
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = tile.first ? V::broadcast(tile.bias + rows[r]) : V::load(y[r] + v * V::kWidth);
    }
  }
  for (uint32_t step = 0; step < steps; ++step, columns += kRows, weights += kRows) {
    uint64_t packed;  // all columns of a step in one load
    if (kRows == 4) {
      __builtin_memcpy(&packed, columns, sizeof(packed));
    } else {
      packed = *columns;
    }
    ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
      const float* x = inputs_at<kScale>(tile.x, tile.ldx, packed >> (16 * r) & 0xffff);
      const typename V::Vector weight = V::broadcast(weights + r);
      ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = V::fma(weight, V::load(x + v * V::kWidth), sums[r][v]);
      }
    }
  }
  ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      V::store(y[r] + v * V::kWidth,
               tile.last ? V::activate(*tile.epilogue, sums[r][v]) : sums[r][v]);
    }
  }
}

template <typename V, int kVectors, int kScale>
void tiles(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
           uint32_t tile_begin, uint32_t tile_end) {
  for (uint32_t t = tile_begin; t < tile_end; ++t) {
    const RowTile& tile = view.tiles[t];
    const TileContext context = {batch.x + tile.first_col * batch.ldx,
                                 batch.ldx,
                                 batch.y + tile.first_row * batch.ldy,
                                 batch.ldy,
                                 epilogue.bias + tile.first_row,
                                 &epilogue,
                                 tile.first,
                                 tile.last};
    const uint16_t* rows = view.tile_rows + tile.row_begin;
    const uint16_t* columns = view.columns + tile.entry_begin;
    const float* weights = view.weights + tile.entry_begin;
    for (uint32_t i = tile.run_begin; i < tile.run_end; ++i) {
      const RowRun& run = view.runs[i];
      for (uint32_t quad = 0; quad < run.quads; ++quad) {
        tile_rows<V, kVectors, kScale, 4>(context, rows, run.steps, columns, weights);
        rows += 4;
        columns += 4 * run.steps;
        weights += 4 * run.steps;
      }
      for (uint32_t single = 0; single < run.singles; ++single) {
        tile_rows<V, kVectors, kScale, 1>(context, rows, run.steps, columns, weights);
        rows += 1;
        columns += run.steps;
        weights += run.steps;
      }
    }
  }
}

template <typename V, int kVectors>
void tiles_any_ld(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
                  uint32_t tile_begin, uint32_t tile_end) {
  switch (batch.ldx) {
    case 16:
      return tiles<V, kVectors, 2>(view, epilogue, batch, tile_begin, tile_end);
    case 32:
      return tiles<V, kVectors, 4>(view, epilogue, batch, tile_begin, tile_end);
    case 64:
      return tiles<V, kVectors, 8>(view, epilogue, batch, tile_begin, tile_end);
    default:
      return tiles<V, kVectors, 0>(view, epilogue, batch, tile_begin, tile_end);
  }
}

void panel(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
           uint32_t tile_begin, uint32_t tile_end) {
  if (batch.n <= 8) return tiles_any_ld<Ymm, 1>(view, epilogue, batch, tile_begin, tile_end);
  switch ((batch.n + 15) / 16) {
    case 1:
      return tiles_any_ld<Zmm, 1>(view, epilogue, batch, tile_begin, tile_end);
    case 2:
      return tiles_any_ld<Zmm, 2>(view, epilogue, batch, tile_begin, tile_end);
    case 3:
      return tiles_any_ld<Zmm, 3>(view, epilogue, batch, tile_begin, tile_end);
    default:
      return tiles_any_ld<Zmm, 4>(view, epilogue, batch, tile_begin, tile_end);
  }
}

}  // namespace

const RowTileKernels kRowTilesAvx512 = {panel, "spmm_f32_tiles4_avx512"};

}  // namespace espalier
