#include "sparse/dense_tiles.h"

#include <algorithm>

namespace espalier {
namespace {

// A tile of a matrix without zeros: every weight is written, in the order of the memory.
void pack_full_tile(const CsrView& csr, uint32_t first, float* tile) {
  const uint32_t rows = std::min(kDenseTileRows, csr.rows - first);
  const float* values = csr.values + csr.row_ptr[first];
  for (size_t col = 0; col < csr.cols; ++col, tile += kDenseTileRows) {
    for (uint32_t row = 0; row < rows; ++row) tile[row] = values[row * size_t{csr.cols} + col];
    std::fill(tile + rows, tile + kDenseTileRows, 0.0f);
  }
}

}  // namespace

DenseTiles pack_dense_tiles(const CsrView& csr) {
  DenseTiles tiles;
  tiles.rows = csr.rows;
  tiles.cols = csr.cols;
  const size_t tile_count = (static_cast<size_t>(csr.rows) + kDenseTileRows - 1) / kDenseTileRows;
  const size_t tile_floats = size_t{csr.cols} * kDenseTileRows;
  tiles.weights.resize(tile_count * tile_floats);
  const bool full = csr.nnz() == static_cast<size_t>(csr.rows) * csr.cols;
  for (uint32_t first = 0; first < csr.rows; first += kDenseTileRows) {
    float* tile = tiles.weights.data() + first / kDenseTileRows * tile_floats;
    if (full) {
      pack_full_tile(csr, first, tile);
      continue;
    }
    std::fill(tile, tile + tile_floats, 0.0f);
    const uint32_t rows = std::min(kDenseTileRows, csr.rows - first);
    for (uint32_t row = first; row < first + rows; ++row) {
      for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
        tile[static_cast<size_t>(csr.col_idx[i]) * kDenseTileRows + row % kDenseTileRows] =
            csr.values[i];
      }
    }
  }
  return tiles;
}

}  // namespace espalier
