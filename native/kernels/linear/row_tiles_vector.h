// Row-tile kernels (row_tile.h), for any vector type (vector.h): the columns of the panel are the
// lanes, a weight is broadcast to them.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_ROW_TILES_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_ROW_TILES_VECTOR_H_

#include "kernels/linear/vector.h"
#include "sparse/row_tile.h"

namespace espalier {
namespace {

// The inputs of one stored column. kScale is ld * 4 / kColumnUnit where that is a scale of x86
// addresses, else 0.
template <int kScale>
ESPALIER_INLINE const float* inputs_at(const float* x, size_t ldx, uint32_t column) {
  if (kScale == 0) return x + column / kColumnUnit * ldx;
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(x) +
                                        static_cast<size_t>(column) * kScale);
}

// Entries are fetched so far ahead of their use.
constexpr int kAhead = 256;

struct TileContext {
  const float* x;  // at the tile's first column
  size_t ldx;
  float* y;  // at the tile's first row
  size_t ldy;
  const float* bias;  // at the tile's first row
  const Epilogue* epilogue;
  bool first, last;
};

// kRows rows, the sums in registers. Their entries lie side by side, those of the next step kStride
// on.
template <typename V, int kVectors, int kScale, int kRows, int kStride>
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
  const auto add_step = [&]() __attribute__((always_inline)) {
    uint64_t packed = 0;  // all columns of a step in one load
    __builtin_memcpy(&packed, columns, kRows * sizeof(*columns));
    typename V::Vector four{};
    if (kRows == 4) four = V::load_four(weights);
    ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
      const float* x = inputs_at<kScale>(tile.x, tile.ldx, packed >> (16 * r) & 0xffff);
      const typename V::Vector weight = kRows == 4 ? V::spread(four, r) : V::broadcast(weights + r);
      ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = V::fma(weight, V::load(x + v * V::kWidth), sums[r][v]);
      }
    }
    columns += kStride;
    weights += kStride;
  };
  uint32_t step = 0;
  for (; step + 4 <= steps; step += 4) {
    // Four steps of a quad read one line of weights and half of one of columns.
    __builtin_prefetch(weights + kAhead);
    __builtin_prefetch(columns + kAhead);
    ESPALIER_UNROLL for (int i = 0; i < 4; ++i) add_step();
  }
  for (; step < steps; ++step) add_step();
  ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      V::store(y[r] + v * V::kWidth,
               tile.last ? V::activate(*tile.epilogue, sums[r][v]) : sums[r][v]);
    }
  }
}

// kRows of a quad go at once: as many as have registers for their sums.
template <typename V, int kVectors, int kRows, int kScale>
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
        for (int r = 0; r < 4; r += kRows) {
          tile_rows<V, kVectors, kScale, kRows, 4>(context, rows + r, run.steps, columns + r,
                                                   weights + r);
        }
        rows += 4;
        columns += 4 * run.steps;
        weights += 4 * run.steps;
      }
      for (uint32_t single = 0; single < run.singles; ++single) {
        tile_rows<V, kVectors, kScale, 1, 1>(context, rows, run.steps, columns, weights);
        rows += 1;
        columns += run.steps;
        weights += run.steps;
      }
    }
  }
}

template <typename V, int kVectors, int kRows>
void row_tiles(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
               uint32_t tile_begin, uint32_t tile_end) {
  switch (batch.ldx) {
    case 8:
      return tiles<V, kVectors, kRows, 1>(view, epilogue, batch, tile_begin, tile_end);
    case 16:
      return tiles<V, kVectors, kRows, 2>(view, epilogue, batch, tile_begin, tile_end);
    case 32:
      return tiles<V, kVectors, kRows, 4>(view, epilogue, batch, tile_begin, tile_end);
    case 64:
      return tiles<V, kVectors, kRows, 8>(view, epilogue, batch, tile_begin, tile_end);
    default:
      return tiles<V, kVectors, kRows, 0>(view, epilogue, batch, tile_begin, tile_end);
  }
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_ROW_TILES_VECTOR_H_
