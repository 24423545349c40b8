// Dense weights for the dense kernels: tiles of 16 rows, a tile column by column.
//
//   tile 0: w[0][0] w[1][0] ... w[15][0] | w[0][1] w[1][1] ... w[15][1] | ...
//   tile 1: w[16][0] ...
//
// One column of a tile is one cache line: 16 rows are the lanes of a product with one sample, and 4
// to 16 neighbouring weights to broadcast in a product with a panel. Rows beyond the matrix are
// zero.
#ifndef ESPALIER_NATIVE_SPARSE_DENSE_TILES_H_
#define ESPALIER_NATIVE_SPARSE_DENSE_TILES_H_

#include <cstdint>

#include "sparse/aligned.h"
#include "sparse/csr.h"

namespace espalier {

inline constexpr uint32_t kDenseTileRows = 16;

struct DenseTiles {
  uint32_t rows = 0;
  uint32_t cols = 0;
  UnsetVector<float> weights;  // [ceil(rows / 16)][cols][16]
};

DenseTiles pack_dense_tiles(const CsrView& csr);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_DENSE_TILES_H_
