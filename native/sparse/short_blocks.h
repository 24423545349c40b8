// Short permute-blocks: the sparse layouts for one to four samples on AVX2.
//
// As in permute_block.h, a group is 8 rows, one a vector lane, and x is gone over in blocks. Here a
// block is 4 or 8 columns. Four fill half a register, both halves alike, and the permute stays
// inside a half, which takes half the work of one across a whole AVX2 register; eight need less
// padding. An index is two or three bits. 16 or 10 of them, of as many steps, lie in a word of a
// lane, the first in its lowest bits.
//
//   group 0: blocks of 1 step:  offsets o o o ...   words [8] of 16 blocks each   weights w x 8 a
//   step
//            blocks of 2 steps: offsets o o o ...   words [8] of  8 blocks each
//            blocks of 3 steps:                     words [8] of  5 blocks each
//            blocks of 4 steps:                     words [8] of  4 blocks each
//
// (with 8 columns up to 8 steps, and 10, 5, 3, 2, 2, 1, 1, 1 blocks a word). Blocks without
// non-zeros are left out. Rows with fewer non-zeros in a block than the longest of their group are
// padded with zero weights. Where the columns of a block do not divide those of the matrix, the
// last block starts that many columns from the end, so that no kernel reads beyond x.
#ifndef ESPALIER_NATIVE_SPARSE_SHORT_BLOCKS_H_
#define ESPALIER_NATIVE_SPARSE_SHORT_BLOCKS_H_

#include <cstdint>
#include <vector>

#include "sparse/aligned.h"
#include "sparse/csr.h"
#include "sparse/permute_block.h"
#include "sparse/row_blocks.h"

namespace espalier {

inline constexpr uint32_t kShortBlockMostBlockCols = 8;
inline constexpr uint32_t kShortBlockLanes = 8;
inline constexpr uint32_t kShortBlockMostCols = 65536;  // an offset has 16 bits
// block_cols: 4 or 8.
inline constexpr uint32_t short_block_index_bits(uint32_t block_cols) {
  return block_cols == 4 ? 2 : 3;
}
inline constexpr uint32_t short_block_word_steps(uint32_t block_cols) {
  return 32 / short_block_index_bits(block_cols);
}

struct ShortBlocks {
  uint32_t rows = 0;
  uint32_t cols = 0;
  uint32_t block_cols = 0;
  bool in_order = false;               // lane l of group g is row 8 g + l
  std::vector<uint32_t> order;         // [groups][8], kNoRow where a lane has none
  std::vector<uint32_t> runs;          // [groups][block_cols]: the blocks of 1, 2, ... steps
  std::vector<uint32_t> group_blocks;  // [groups + 1]: where a group's offsets begin
  std::vector<uint32_t> group_words;   // [groups + 1]
  std::vector<uint32_t> group_steps;   // [groups + 1]
  std::vector<uint16_t> offsets;       // of each block: its first column
  AlignedVector<uint32_t> words;       // [words][8]
  AlignedVector<float> weights;        // [steps][8]
  RowBlocks row_blocks;
  std::vector<uint32_t> row_block_groups;  // [row blocks + 1]: where a row block's groups begin

  size_t bytes() const {
    return (order.size() + runs.size() + group_blocks.size() + group_words.size() +
            group_steps.size() + words.size() + weights.size()) *
               4 +
           offsets.size() * 2;
  }
};

// Rows by their number of non-zeros, most first, inside row blocks of permute_row_block.
std::vector<uint32_t> rows_by_count(const CsrView& csr, uint32_t lanes);

// counts: by blocks of block_cols, 4 or 8; order: groups of kShortBlockLanes rows; size: what
// count_permute_block makes of these.
// block_cols <= cols <= kShortBlockMostCols. O(nnz + rows * blocks).
ShortBlocks pack_short_blocks(const CsrView& csr, uint32_t block_cols, const BlockCounts& counts,
                              std::vector<uint32_t> order, PermuteBlockCount size);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_SHORT_BLOCKS_H_
