#include "sparse/sell.h"

#include <algorithm>
#include <numeric>

namespace espalier {
namespace {

uint32_t row_count(const CsrView& csr, uint32_t row) {
  return static_cast<uint32_t>(csr.row_ptr[row + 1] - csr.row_ptr[row]);
}

// The rows of a row block, those with most non-zeros first; rows with as many keep their order.
void sort_by_count(const CsrView& csr, uint32_t first, std::vector<uint32_t>& rows) {
  rows.resize(std::min(csr.rows - first, kSellRowBlock));
  std::iota(rows.begin(), rows.end(), first);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](uint32_t a, uint32_t b) { return row_count(csr, a) > row_count(csr, b); });
}

}  // namespace

SellCount count_sell(const CsrView& csr, uint32_t lanes) {
  SellCount count;
  std::vector<uint32_t> rows;
  for (uint32_t first = 0; first < csr.rows; first += kSellRowBlock) {
    sort_by_count(csr, first, rows);
    for (size_t i = 0; i < rows.size(); i += lanes) {
      ++count.groups;
      count.steps += row_count(csr, rows[i]);
    }
  }
  return count;
}

Sell pack_sell(const CsrView& csr, uint32_t lanes) {
  Sell pack;
  pack.lanes = lanes;
  pack.rows = csr.rows;
  pack.cols = csr.cols;
  const SellCount size = count_sell(csr, lanes);
  pack.order.reserve(size.groups * lanes);
  pack.group_steps.reserve(size.groups + 1);
  pack.columns.assign(size.steps * lanes, 0);
  pack.weights.assign(size.steps * lanes, 0.0f);
  std::vector<uint32_t> rows;
  uint32_t steps = 0;
  pack.row_block_groups.push_back(0);
  for (uint32_t first = 0; first < csr.rows; first += kSellRowBlock) {
    const uint32_t steps_before = steps;
    sort_by_count(csr, first, rows);
    for (size_t i = 0; i < rows.size(); i += lanes) {
      const uint32_t longest = row_count(csr, rows[i]);
      pack.group_steps.push_back(steps);
      for (size_t lane = 0; lane < lanes; ++lane) {
        if (i + lane >= rows.size()) {
          pack.order.push_back(kSellNoRow);
          continue;
        }
        const uint32_t row = rows[i + lane];
        pack.order.push_back(row);
        if (longest == 0) continue;  // there may be no entry at all, and no memory for any
        uint16_t* column = pack.columns.data() + size_t{steps} * lanes + lane;
        float* weight = pack.weights.data() + size_t{steps} * lanes + lane;
        const int32_t begin = csr.row_ptr[row], end = csr.row_ptr[row + 1];
        for (int32_t e = begin; e < end; ++e, column += lanes, weight += lanes) {
          *column = static_cast<uint16_t>(csr.col_idx[e]);
          *weight = csr.values[e];
        }
        const uint16_t own =
            begin == end ? uint16_t{0} : static_cast<uint16_t>(csr.col_idx[end - 1]);
        for (uint32_t step = row_count(csr, row); step < longest; ++step, column += lanes) {
          *column = own;
        }
      }
      steps += longest;
    }
    const auto groups = static_cast<uint32_t>(pack.group_steps.size());
    // A group costs about as much as two steps.
    pack.row_blocks.add(std::min(csr.rows, first + kSellRowBlock),
                        steps - steps_before + 2 * (groups - pack.row_block_groups.back()));
    pack.row_block_groups.push_back(groups);
  }
  pack.group_steps.push_back(steps);
  return pack;
}

}  // namespace espalier
