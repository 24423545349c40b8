// Permute-block: the sparse layout for one to four samples.
//
// A group is `lanes` rows, one a vector lane. It goes over x in blocks of `block_cols` columns,
// which fit in a few vector registers. A step takes one non-zero of the block from each row: an
// index byte a lane permutes its input out of these registers, without touching memory, and one FMA
// adds 16 products.
//
//   group 0: block 3: step 0: indices i i i ... i (lanes bytes)   weights w w w ... w (lanes
//   floats)
//                     step 1: ...
//            block 0: step 0: ...
//
// Rows with fewer non-zeros in a block than the longest of their group are padded with zero
// weights. So rows with similar counts should share a group: group_rows_greedily finds such groups,
// and `count` tells what they cost. The blocks of a group are sorted by their number of steps, so
// that the loop over steps is predicted well; a last block that the matrix fills only in part comes
// at the end.
#ifndef ESPALIER_NATIVE_SPARSE_PERMUTE_BLOCK_H_
#define ESPALIER_NATIVE_SPARSE_PERMUTE_BLOCK_H_

#include <cstdint>
#include <vector>

#include "sparse/aligned.h"
#include "sparse/csr.h"
#include "sparse/row_blocks.h"

namespace espalier {

// Lane l of group g computes row order[g * lanes + l], or nothing where that is kNoRow.
inline constexpr uint32_t kNoRow = UINT32_MAX;

struct PermuteBlockShape {
  uint32_t lanes;       // 16 (AVX-512) or 8 (AVX2)
  uint32_t block_cols;  // a power of two of at most 64, and at most 4 * lanes
  // A permute instruction looks this many columns up, so that many lie in an index's low bits; the
  // next bit of the column is the index's sign bit.
  uint32_t lookup_cols;
};

// Of a power of two.
inline unsigned log2_of(uint32_t power) {
  unsigned bits = 0;
  while (power >> bits > 1) ++bits;
  return bits;
}

// The non-zeros of each row in each block of columns: [rows][blocks]. block_cols: a power of two.
struct BlockCounts {
  uint32_t blocks = 0;
  std::vector<uint8_t> counts;
  const uint8_t* row(uint32_t row) const { return counts.data() + size_t{row} * blocks; }
};
BlockCounts count_blocks(const CsrView& csr, uint32_t block_cols);
// The counts of blocks twice as wide (of at most 255 columns).
BlockCounts pair_blocks(const BlockCounts& counts, uint32_t rows);

// The longest count of each block in a group of `lanes` rows.
void group_longest(const BlockCounts& counts, const uint32_t* rows, uint32_t lanes,
                   std::vector<uint8_t>& longest);

// Rows in their own order, padded at the end.
std::vector<uint32_t> rows_in_order(uint32_t rows, uint32_t lanes);

// Rows move only inside blocks of so many rows, so that threads own contiguous outputs and packing
// stays fast. Wide matrices gain more from a large choice and take less time to group a non-zero.
inline uint32_t permute_row_block(uint32_t cols) { return cols < 2048 ? 512 : 1024; }

// Groups of rows that need little padding. O(rows * permute_row_block * blocks).
std::vector<uint32_t> group_rows_greedily(const CsrView& csr, const BlockCounts& counts,
                                          uint32_t lanes);

// What a pack by this order would hold, if no block had more than most_steps.
struct PermuteBlockCount {
  size_t groups = 0;
  size_t blocks = 0;
  size_t steps = 0;
};
PermuteBlockCount count_permute_block(const BlockCounts& counts, const std::vector<uint32_t>& order,
                                      uint32_t lanes, uint32_t most_steps = UINT8_MAX);

struct PermuteBlocks {
  PermuteBlockShape shape;
  uint32_t rows = 0;
  uint32_t cols = 0;
  bool in_order = false;               // `order` is rows_in_order
  std::vector<uint32_t> order;         // [groups][lanes]
  std::vector<uint32_t> group_blocks;  // [groups + 1]: where a group's blocks begin
  std::vector<uint32_t> group_steps;   // [groups + 1]: where its steps begin
  std::vector<uint32_t> blocks;        // block of columns << 8 | steps
  AlignedVector<uint8_t> indices;      // [steps][lanes]
  AlignedVector<float> weights;        // [steps][lanes]
  // Compressed only:
  std::vector<uint16_t> masks;          // [steps]: the lanes that have a non-zero
  std::vector<uint32_t> group_entries;  // [groups + 1]: where a group's weights and indices begin
  RowBlocks row_blocks;
  std::vector<uint32_t> row_block_groups;  // [row blocks + 1]: where a row block's groups begin

  size_t bytes() const {
    return (order.size() + group_blocks.size() + group_steps.size() + blocks.size() +
            group_entries.size()) *
               4 +
           masks.size() * 2 + indices.size() + weights.size() * 4;
  }
};

PermuteBlocks pack_permute_blocks(const CsrView& csr, PermuteBlockShape shape,
                                  const BlockCounts& counts, std::vector<uint32_t> order);

// Takes the padding out: weights and indices of a step become those of the lanes in its mask, and
// 16 unused entries end the arrays. It pays where weights come from memory; expanding takes longer
// than reading from a cache.
void compress_permute_blocks(PermuteBlocks& pack);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_PERMUTE_BLOCK_H_
