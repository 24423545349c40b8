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
// padded with zero weights, and what a row has in a block beyond `most_steps` non-zeros goes to the
// group's tail, which is SELL (sell.h): few rows would use a further step, which costs all of them.
//
//   group 0: ... tail: columns c x 8 a step (u16)   weights w x 8 a step, after those of the blocks
//
// Where the columns of a block do not divide those of the matrix, the
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
  std::vector<uint32_t> group_steps;   // [groups + 1], the tail's steps included
  std::vector<uint32_t> group_tails;   // [groups + 1]: where a group's tail begins in tail_columns
  std::vector<uint16_t> offsets;       // of each block: its first column
  AlignedVector<uint32_t> words;       // [words][8]
  AlignedVector<uint16_t> tail_columns;  // [steps of tails][8]
  AlignedVector<float> weights;          // [steps][8]
  RowBlocks row_blocks;
  std::vector<uint32_t> row_block_groups;  // [row blocks + 1]: where a row block's groups begin

  size_t bytes() const {
    return (order.size() + runs.size() + group_blocks.size() + group_words.size() +
            group_steps.size() + group_tails.size() + words.size() + weights.size()) *
               4 +
           (offsets.size() + tail_columns.size()) * 2;
  }
};

// The non-zeros of each row that are beyond the first `most_steps` of their blocks.
std::vector<uint32_t> row_tails(const BlockCounts& counts, uint32_t rows, uint32_t most_steps);

// Rows by the length of their tails, then by their number of non-zeros, most first, inside row
// blocks of permute_row_block. tails: of each row, or none at all.
std::vector<uint32_t> rows_by_count(const CsrView& csr, uint32_t lanes,
                                    const std::vector<uint32_t>& tails = {});

// A way to pack short permute-blocks.
struct ShortBlocksPlan {
  uint32_t block_cols = 0;      // 4 or 8
  uint32_t most_steps = 0;      // block_cols: without tails
  BlockCounts counts;           // by blocks of block_cols
  std::vector<uint32_t> tails;  // of each row: row_tails; empty without tails
  std::vector<uint32_t> order;  // groups of kShortBlockLanes rows
  PermuteBlockCount size;       // of the blocks: see count_permute_block
  size_t tail_steps = 0;
};

// Fills in `size` and `tail_steps` from the rest.
void count_short_blocks(ShortBlocksPlan& plan);

// block_cols <= cols <= kShortBlockMostCols. O(nnz + rows * blocks).
ShortBlocks pack_short_blocks(const CsrView& csr, const ShortBlocksPlan& plan);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_SHORT_BLOCKS_H_
