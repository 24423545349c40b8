// Contiguous blocks of rows, the unit in which packed layouts are split among threads.
#ifndef ESPALIER_NATIVE_SPARSE_ROW_BLOCKS_H_
#define ESPALIER_NATIVE_SPARSE_ROW_BLOCKS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace espalier {

struct BlockRange {
  uint32_t begin;
  uint32_t end;
};

class RowBlocks {
 public:
  // Appends the block that ends before row `row_end`; `work` in any one unit.
  void add(uint32_t row_end, uint64_t work) {
    rows_.push_back(row_end);
    work_.push_back(work_.back() + work);
  }

  uint32_t count() const { return static_cast<uint32_t>(rows_.size() - 1); }
  uint32_t first_row(uint32_t block) const { return rows_[block]; }

  // The blocks of part `part` of `parts`: split by work, each block in exactly one part.
  BlockRange part(int part, int parts) const {
    if (parts == 1) return {0, count()};
    return {bound(part, parts), bound(part + 1, parts)};
  }

 private:
  uint32_t bound(int part, int parts) const {
    if (part == parts) return count();
    const uint64_t share = work_.back() / parts * part + work_.back() % parts * part / parts;
    // The block boundary nearest to the share.
    auto above = std::lower_bound(work_.begin(), work_.end(), share);
    if (above != work_.begin() && share - above[-1] < *above - share) --above;
    return static_cast<uint32_t>(above - work_.begin());
  }

  std::vector<uint32_t> rows_{0};
  std::vector<uint64_t> work_{0};
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_ROW_BLOCKS_H_
