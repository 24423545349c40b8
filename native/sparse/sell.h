// SELL (sliced ELLPACK, sorted): the sparse layout for one sample where a permute has no registers
// to spare, on AVX2, NEON and any other machine.
//
// A group is `lanes` rows, one a vector lane, with nearly equal numbers of non-zeros: rows are
// sorted by their counts inside a row block. A step takes the next non-zero of each row:
//
//   group 0: step 0: columns c c c ... c (lanes u16)   weights w w w ... w (lanes floats)
//            step 1: ...
//
// Rows with fewer non-zeros than the longest of their group are padded with zero weights, at a
// column that the row has anyhow.
#ifndef ESPALIER_NATIVE_SPARSE_SELL_H_
#define ESPALIER_NATIVE_SPARSE_SELL_H_

#include <cstdint>
#include <vector>

#include "sparse/aligned.h"
#include "sparse/csr.h"
#include "sparse/row_blocks.h"

namespace espalier {

inline constexpr uint32_t kSellMostCols = 65536;
// Rows move only inside blocks of so many rows, so that threads own contiguous outputs.
inline constexpr uint32_t kSellRowBlock = 512;
inline constexpr uint32_t kSellNoRow = UINT32_MAX;

struct Sell {
  uint32_t lanes = 0;
  uint32_t rows = 0;
  uint32_t cols = 0;
  std::vector<uint32_t> order;        // [groups][lanes]: the row of a lane, or kSellNoRow
  std::vector<uint32_t> group_steps;  // [groups + 1]: where a group's steps begin
  AlignedVector<uint16_t> columns;    // [steps][lanes]
  AlignedVector<float> weights;       // [steps][lanes]
  RowBlocks row_blocks;
  std::vector<uint32_t> row_block_groups;  // [row blocks + 1]: where a row block's groups begin

  size_t bytes() const {
    return (order.size() + group_steps.size() + row_block_groups.size()) * 4 + columns.size() * 2 +
           weights.size() * 4;
  }
};

// What a pack would hold. O(rows).
struct SellCount {
  size_t groups = 0;
  size_t steps = 0;
};
SellCount count_sell(const CsrView& csr, uint32_t lanes);

// cols <= kSellMostCols. O(nnz + rows).
Sell pack_sell(const CsrView& csr, uint32_t lanes);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_SELL_H_
