// Packs row tiles (row_tile.h tells what they are).
#ifndef ESPALIER_NATIVE_SPARSE_ROW_TILES_H_
#define ESPALIER_NATIVE_SPARSE_ROW_TILES_H_

#include <cstdint>
#include <vector>

#include "sparse/aligned.h"
#include "sparse/csr.h"
#include "sparse/row_blocks.h"
#include "sparse/row_tile.h"

namespace espalier {

struct RowTiles {
  uint32_t rows = 0;
  uint32_t cols = 0;
  std::vector<RowTile> tiles;             // by row block, then by columns
  std::vector<uint32_t> row_block_tiles;  // [row blocks + 1]: where a row block's tiles begin
  std::vector<RowRun> runs;
  std::vector<uint16_t> tile_rows;  // relative to the tile's first row
  AlignedVector<uint16_t> columns;  // of each entry: column in the tile * kColumnUnit
  AlignedVector<float> weights;     // of each entry
  RowBlocks row_blocks;

  size_t bytes() const {
    return tiles.size() * sizeof(RowTile) + runs.size() * sizeof(RowRun) + tile_rows.size() * 2 +
           columns.size() * 2 + weights.size() * 4;
  }
};

// Tiles of at most so many rows and columns, made even. tile_rows < 65536, tile_cols <=
// kMostTileCols. O(nnz + rows * tiles a row).
RowTiles pack_row_tiles(const CsrView& csr, uint32_t tile_rows, uint32_t tile_cols);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_ROW_TILES_H_
