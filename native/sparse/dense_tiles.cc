#include "sparse/dense_tiles.h"

namespace espalier {

DenseTiles pack_dense_tiles(const CsrView& csr) {
  DenseTiles tiles;
  tiles.rows = csr.rows;
  tiles.cols = csr.cols;
  const size_t tile_count = (static_cast<size_t>(csr.rows) + kDenseTileRows - 1) / kDenseTileRows;
  tiles.weights.assign(tile_count * csr.cols * kDenseTileRows, 0.0f);
  for (uint32_t row = 0; row < csr.rows; ++row) {
    float* lane = tiles.weights.data() +
                  static_cast<size_t>(row / kDenseTileRows) * csr.cols * kDenseTileRows +
                  row % kDenseTileRows;
    for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
      lane[static_cast<size_t>(csr.col_idx[i]) * kDenseTileRows] = csr.values[i];
    }
  }
  return tiles;
}

}  // namespace espalier
