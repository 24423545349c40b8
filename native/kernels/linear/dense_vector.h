// Dense kernels over tiles of 16 rows (dense_tiles.h), for any vector type (vector.h).
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_DENSE_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_DENSE_VECTOR_H_

#include "kernels/linear/vector.h"

namespace espalier {
namespace {

constexpr uint32_t kTileRows = 16;

// ---- One to four samples: the 16 rows of a tile are the lanes, an input is broadcast to them.
// ----

// kChains partial sums a row, over columns of the same remainder, hide the latency of the FMA. They
// are the same however many tiles go together, so that the split into parts does not change the
// result.
template <typename V, int kTiles, int kSamples, int kChains>
ESPALIER_INLINE uint32_t dense_samples_tiles(const float* weights, uint32_t rows, uint32_t cols,
                                             const Epilogue& epilogue, const SampleBatch& batch,
                                             uint32_t tile) {
  constexpr int kVectors = kTileRows / V::kWidth;  // a tile
  const size_t tile_size = static_cast<size_t>(cols) * kTileRows;
  const float* w = weights + tile * tile_size;
  typename V::Vector sums[kTiles][kVectors][kSamples][kChains];
  ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
        ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) sums[t][v][s][c] = V::zero();
      }
    }
  }
  const float* x[kSamples];
  ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) x[s] = batch.x + s * batch.x_stride;
  const auto add_column = [&](uint32_t col, int chain) __attribute__((always_inline)) {
    typename V::Vector inputs[kSamples];
    ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) inputs[s] = V::broadcast(x[s] + col);
    ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
      ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
        const typename V::Vector lanes = V::load(w + t * tile_size + v * V::kWidth);
        ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
          sums[t][v][s][chain] = V::fma(lanes, inputs[s], sums[t][v][s][chain]);
        }
      }
    }
    w += kTileRows;
  };
  uint32_t col = 0;
  for (; col + kChains <= cols; col += kChains) {
    ESPALIER_UNROLL for (int c = 0; c < kChains; ++c) add_column(col + c, c);
  }
  for (; col < cols; ++col) add_column(col, 0);

  uint32_t bad = 0;
  ESPALIER_UNROLL for (int t = 0; t < kTiles; ++t) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      const uint32_t row = (tile + t) * kTileRows + v * V::kWidth;
      if (row >= rows) break;
      const uint32_t live = rows - row < V::kWidth ? rows - row : V::kWidth;
      const typename V::Vector bias = V::load(epilogue.bias + row);
      ESPALIER_UNROLL for (int s = 0; s < kSamples; ++s) {
        typename V::Vector sum = sums[t][v][s][0];
        if (kChains == 2) sum = V::add(sum, sums[t][v][s][1 % kChains]);
        if (kChains == 4) {
          sum = V::add(V::add(sum, sums[t][v][s][1 % kChains]),
                       V::add(sums[t][v][s][2 % kChains], sums[t][v][s][3 % kChains]));
        }
        sum = V::add(sum, bias);
        bad |= V::not_finite(sum) & ((1u << live) - 1);
        V::store_first(batch.y + s * batch.y_stride + row, V::activate(epilogue, sum), live);
      }
    }
  }
  return bad;
}

template <typename V, int kTiles, int kSamples, int kChains>
ESPALIER_INLINE bool dense_samples(const float* weights, uint32_t rows, uint32_t cols,
                                   const Epilogue& epilogue, const SampleBatch& batch,
                                   uint32_t tile, uint32_t tile_end) {
  uint32_t bad = 0;
  for (; tile + kTiles <= tile_end; tile += kTiles) {
    bad |= dense_samples_tiles<V, kTiles, kSamples, kChains>(weights, rows, cols, epilogue, batch,
                                                             tile);
  }
  for (; tile < tile_end; ++tile) {
    bad |= dense_samples_tiles<V, 1, kSamples, kChains>(weights, rows, cols, epilogue, batch, tile);
  }
  return bad == 0;
}

// ---- A panel: the columns are the lanes, a weight is broadcast to them. ----

struct ColumnBlock {
  uint32_t begin;
  uint32_t end;
  bool first;  // sums start from the bias and not from y
  bool last;   // the activation follows
};

// kRows neighbouring rows of a tile by kVectors vectors of columns, the sums in registers. kSpread:
// four weights come in one load, where loads are what there is not enough of.
template <typename V, int kRows, int kVectors, bool kSpread, bool kFetch>
ESPALIER_INLINE uint32_t dense_panel_rows(const float* w, size_t tile_size, const PanelBatch& batch,
                                          uint32_t row, uint32_t rows, const Epilogue& epilogue,
                                          ColumnBlock block, uint32_t live_lanes) {
  const float* x = batch.x + block.begin * batch.ldx;
  float* y = batch.y + row * batch.ldy;
  const uint32_t live_rows = rows - row;
  typename V::Vector sums[kRows][kVectors];
  ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
    const bool load = !block.first && static_cast<uint32_t>(r) < live_rows;
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      sums[r][v] =
          load ? V::load(y + r * batch.ldy + v * V::kWidth) : V::broadcast(epilogue.bias + row + r);
    }
  }
  for (uint32_t col = block.begin; col < block.end; ++col, w += kTileRows, x += batch.ldx) {
    // The same place of the next tile: weights come from far away, and only once a panel.
    if (kFetch) __builtin_prefetch(w + tile_size, 0, 2);
    typename V::Vector inputs[kVectors];
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) inputs[v] = V::load(x + v * V::kWidth);
    typename V::Vector fours[(kRows + 3) / 4];
    if (kSpread) {
      ESPALIER_UNROLL for (int i = 0; i < kRows / 4; ++i) fours[i] = V::load_four(w + 4 * i);
    }
    ESPALIER_UNROLL for (int r = 0; r < kRows; ++r) {
      const typename V::Vector weight =
          kSpread ? V::spread(fours[r / 4], r % 4) : V::broadcast(w + r);
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
        bad |= V::not_finite(sum) & (v + 1 == kVectors ? live_lanes : ~0u);
        sum = V::activate(epilogue, sum);
      }
      V::store(y + r * batch.ldy + v * V::kWidth, sum);
    }
  }
  return bad;
}

// The columns of W go in blocks, so that the block of the panel stays in the first-level cache
// while all tiles pass over it. Rows of the panel that are used in part still take their share of
// it: a power of two as a stride leaves the rest of the cache unused.
constexpr uint32_t kPanelBlockFloats = 20 * 1024 / sizeof(float);
constexpr uint32_t kLeastBlockCols = 64;

// The 16 rows of a tile, kRows... at a time.
template <typename V, int kVectors, bool kSpread, int kFirst, int... kRest>
ESPALIER_INLINE uint32_t dense_panel_tile(const float* w, size_t tile_size, const PanelBatch& batch,
                                          uint32_t first, uint32_t rows, const Epilogue& epilogue,
                                          ColumnBlock block, uint32_t live_lanes) {
  // The first rows of a tile bring the cache lines of the next.
  uint32_t bad = dense_panel_rows<V, kFirst, kVectors, kSpread, true>(
      w, tile_size, batch, first, rows, epilogue, block, live_lanes);
  uint32_t row = kFirst;
  ((bad |= first + row >= rows
               ? 0
               : dense_panel_rows<V, kRest, kVectors, kSpread, false>(
                     w + row, tile_size, batch, first + row, rows, epilogue, block, live_lanes),
    row += kRest),
   ...);
  return bad;
}

// batch.n fills kVectors vectors, the last perhaps in part; the rows of a tile go kRows... at a
// time.
template <typename V, int kVectors, bool kSpread, int... kRows>
bool dense_panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                 const PanelBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  const uint32_t fitting = static_cast<uint32_t>(kPanelBlockFloats / batch.ldx);
  const uint32_t most_cols = fitting < kLeastBlockCols ? kLeastBlockCols : fitting;
  const uint32_t blocks = cols <= most_cols ? 1 : (cols + most_cols - 1) / most_cols;
  const uint32_t block_cols = (cols + blocks - 1) / blocks;
  const int last_lanes = batch.n - (kVectors - 1) * V::kWidth;
  const uint32_t live_lanes = last_lanes <= 0 ? 0 : (1u << last_lanes) - 1;
  const size_t tile_size = static_cast<size_t>(cols) * kTileRows;
  uint32_t bad = 0;
  for (uint32_t b = 0; b < blocks; ++b) {
    const uint32_t begin = b * block_cols;
    const uint32_t end = begin + block_cols < cols ? begin + block_cols : cols;
    const ColumnBlock block = {begin, end, b == 0, b + 1 == blocks};
    for (uint32_t tile = tile_begin; tile < tile_end; ++tile) {
      const float* w = weights + tile * tile_size + static_cast<size_t>(begin) * kTileRows;
      bad |= dense_panel_tile<V, kVectors, kSpread, kRows...>(w, tile_size, batch, tile * kTileRows,
                                                              rows, epilogue, block, live_lanes);
    }
  }
  return bad == 0;
}

// ---- A narrow panel: the rows of kTiles tiles are the lanes, as with samples. ----

// Sums of kColumns columns of the panel over the columns [begin, end) of W. sums: [kColumns][kTiles
// * kTileRows].
template <typename V, int kTiles, int kColumns>
ESPALIER_INLINE void dense_narrow_sums(const float* w, size_t tile_size, const float* x, size_t ldx,
                                       uint32_t cols, float* sums) {
  constexpr int kTileVectors = kTileRows / V::kWidth;
  constexpr int kVectors = kTiles * kTileVectors;
  typename V::Vector held[kColumns][kVectors];
  ESPALIER_UNROLL for (int c = 0; c < kColumns; ++c) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      held[c][v] = V::load(sums + c * kTiles * kTileRows + v * V::kWidth);
    }
  }
  for (uint32_t col = 0; col < cols; ++col, w += kTileRows, x += ldx) {
    typename V::Vector inputs[kColumns];
    ESPALIER_UNROLL for (int c = 0; c < kColumns; ++c) inputs[c] = V::broadcast(x + c);
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      const typename V::Vector weights =
          V::load(w + v / kTileVectors * tile_size + v % kTileVectors * V::kWidth);
      ESPALIER_UNROLL for (int c = 0; c < kColumns; ++c) {
        held[c][v] = V::fma(weights, inputs[c], held[c][v]);
      }
    }
  }
  ESPALIER_UNROLL for (int c = 0; c < kColumns; ++c) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      V::store(sums + c * kTiles * kTileRows + v * V::kWidth, held[c][v]);
    }
  }
}

// kColumns... columns of the panel in turn, as many sums at a time as fill the registers. The
// weights of a block of columns of W stay in the first-level cache from the first of them to the
// last.
template <typename V, int kTiles, int... kColumns>
ESPALIER_INLINE uint32_t dense_narrow_tiles(const float* w, uint32_t cols, const Epilogue& epilogue,
                                            const PanelBatch& batch, uint32_t row, uint32_t rows) {
  constexpr uint32_t kRows = kTiles * kTileRows;
  constexpr uint32_t kMostCols = 160;
  const size_t tile_size = static_cast<size_t>(cols) * kTileRows;
  constexpr int kAll = (kColumns + ...);
  const uint32_t live = rows - row < kRows ? rows - row : kRows;
  alignas(64) float sums[kAll][kRows];
  ESPALIER_UNROLL for (int c = 0; c < kAll; ++c) {
    ESPALIER_UNROLL for (uint32_t r = 0; r < kRows; r += V::kWidth) {
      V::store(sums[c] + r, V::load(epilogue.bias + row + r));
    }
  }
  for (uint32_t begin = 0; begin < cols; begin += kMostCols) {
    const uint32_t count = cols - begin < kMostCols ? cols - begin : kMostCols;
    int c = 0;
    ((dense_narrow_sums<V, kTiles, kColumns>(w + static_cast<size_t>(begin) * kTileRows, tile_size,
                                             batch.x + begin * batch.ldx + c, batch.ldx, count,
                                             sums[c]),
      c += kColumns),
     ...);
  }
  uint32_t bad = 0;
  ESPALIER_UNROLL for (uint32_t r = 0; r < kRows; r += V::kWidth) {
    const uint32_t here = live <= r ? 0 : live - r < V::kWidth ? live - r : V::kWidth;
    ESPALIER_UNROLL for (int c = 0; c < kAll; ++c) {
      const typename V::Vector sum = V::load(sums[c] + r);
      bad |= V::not_finite(sum) & ((1u << here) - 1);
      V::store(sums[c] + r, V::activate(epilogue, sum));
    }
  }
  float* y = batch.y + row * batch.ldy;
  for (uint32_t r = 0; r < live; ++r, y += batch.ldy) {
    ESPALIER_UNROLL for (int c = 0; c < kAll; ++c) y[c] = sums[c][r];
  }
  return bad;
}

// batch.n is the sum of kColumns.
template <typename V, int kTiles, int... kColumns>
bool dense_narrow(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                  const PanelBatch& batch, uint32_t tile, uint32_t tile_end) {
  const size_t tile_size = static_cast<size_t>(cols) * kTileRows;
  uint32_t bad = 0;
  for (; tile + kTiles <= tile_end; tile += kTiles) {
    bad |= dense_narrow_tiles<V, kTiles, kColumns...>(weights + tile * tile_size, cols, epilogue,
                                                      batch, tile * kTileRows, rows);
  }
  for (; tile < tile_end; ++tile) {
    bad |= dense_narrow_tiles<V, 1, kColumns...>(weights + tile * tile_size, cols, epilogue, batch,
                                                 tile * kTileRows, rows);
  }
  return bad == 0;
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_DENSE_VECTOR_H_
