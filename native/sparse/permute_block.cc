#include "sparse/permute_block.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace espalier {
namespace {

// Sum of |a - b|: a loop that compilers turn into one instruction for 16 bytes.
uint32_t sum_of_differences(const uint8_t* a, const uint8_t* b, uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n; ++i) sum += static_cast<uint32_t>(std::abs(a[i] - b[i]));
  return sum;
}

// Bytes alias everything: only local pointers let compilers make vectors of this loop.
void raise_to(uint8_t* __restrict longest, const uint8_t* __restrict row, uint32_t n) {
  for (uint32_t b = 0; b < n; ++b) longest[b] = std::max(longest[b], row[b]);
}

// One row block. The densest row left starts a group; then comes, until it is full, the row that
// makes the group grow least for what it brings.
void group_row_block(const BlockCounts& counts, uint32_t lanes, std::vector<uint32_t> left,
                     const std::vector<uint32_t>& totals, std::vector<uint32_t>& order) {
  std::stable_sort(left.begin(), left.end(),
                   [&](uint32_t a, uint32_t b) { return totals[a] > totals[b]; });
  std::vector<uint8_t> longest(counts.blocks);
  while (!left.empty()) {
    std::fill(longest.begin(), longest.end(), 0);
    uint32_t steps = 0;  // the sum of `longest`
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      if (left.empty()) {
        order.push_back(kNoRow);
        continue;
      }
      size_t best = 0;
      if (lane > 0) {
        int64_t best_score = INT64_MAX;
        for (size_t i = 0; i < left.size(); ++i) {
          const uint32_t total = totals[left[i]];
          // sum max(count - longest, 0) = (sum |count - longest| + sum count - sum longest) / 2
          const int64_t growth = (static_cast<int64_t>(sum_of_differences(
                                      counts.row(left[i]), longest.data(), counts.blocks)) +
                                  total - steps) /
                                 2;
          const int64_t score = 16 * growth - 4 * static_cast<int64_t>(total);
          if (score < best_score) {
            best_score = score;
            best = i;
          }
        }
      }
      raise_to(longest.data(), counts.row(left[best]), counts.blocks);
      steps = std::accumulate(longest.begin(), longest.end(), 0u);
      order.push_back(left[best]);
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
    }
  }
}

}  // namespace

void group_longest(const BlockCounts& counts, const uint32_t* rows, uint32_t lanes,
                   std::vector<uint8_t>& longest) {
  longest.assign(counts.blocks, 0);
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    if (rows[lane] != kNoRow) raise_to(longest.data(), counts.row(rows[lane]), counts.blocks);
  }
}

BlockCounts count_blocks(const CsrView& csr, uint32_t block_cols) {
  BlockCounts counts;
  counts.blocks = (csr.cols + block_cols - 1) / block_cols;
  counts.counts.assign(size_t{csr.rows} * counts.blocks, 0);
  const unsigned shift = log2_of(block_cols);
  for (uint32_t row = 0; row < csr.rows; ++row) {
    uint8_t* of_row = counts.counts.data() + size_t{row} * counts.blocks;
    const int32_t* cols = csr.col_idx;
    const int32_t end = csr.row_ptr[row + 1];
    for (int32_t i = csr.row_ptr[row]; i < end; ++i) {
      ++of_row[static_cast<uint32_t>(cols[i]) >> shift];
    }
  }
  return counts;
}

BlockCounts pair_blocks(const BlockCounts& counts, uint32_t rows) {
  BlockCounts pairs;
  pairs.blocks = (counts.blocks + 1) / 2;
  pairs.counts.resize(size_t{rows} * pairs.blocks);
  const uint32_t whole = counts.blocks / 2;
  for (uint32_t row = 0; row < rows; ++row) {
    const uint8_t* __restrict from = counts.row(row);
    uint8_t* __restrict to = pairs.counts.data() + size_t{row} * pairs.blocks;
    for (uint32_t b = 0; b < whole; ++b) {
      to[b] = static_cast<uint8_t>(from[2 * b] + from[2 * b + 1]);
    }
    if (whole < pairs.blocks) to[whole] = from[2 * whole];
  }
  return pairs;
}

std::vector<uint32_t> rows_in_order(uint32_t rows, uint32_t lanes) {
  std::vector<uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  order.resize((size_t{rows} + lanes - 1) / lanes * lanes, kNoRow);
  return order;
}

std::vector<uint32_t> group_rows_greedily(const CsrView& csr, const BlockCounts& counts,
                                          uint32_t lanes) {
  std::vector<uint32_t> totals(csr.rows);
  for (uint32_t row = 0; row < csr.rows; ++row) {
    totals[row] = static_cast<uint32_t>(csr.row_ptr[row + 1] - csr.row_ptr[row]);
  }
  std::vector<uint32_t> order;
  const uint32_t block = permute_row_block(csr.cols);
  for (uint32_t first = 0; first < csr.rows; first += block) {
    std::vector<uint32_t> left(std::min(csr.rows - first, block));
    std::iota(left.begin(), left.end(), first);
    group_row_block(counts, lanes, std::move(left), totals, order);
  }
  return order;
}

PermuteBlockCount count_permute_block(const BlockCounts& counts, const std::vector<uint32_t>& order,
                                      uint32_t lanes, uint32_t most_steps) {
  const auto most = static_cast<uint8_t>(most_steps);
  PermuteBlockCount count;
  std::vector<uint8_t> longest;
  for (size_t first = 0; first < order.size(); first += lanes) {
    group_longest(counts, &order[first], lanes, longest);
    ++count.groups;
    uint32_t blocks = 0, steps = 0;  // narrow sums, which are quick
    for (uint8_t of_block : longest) {
      blocks += of_block > 0;
      steps += std::min(of_block, most);
    }
    count.blocks += blocks;
    count.steps += steps;
  }
  return count;
}

PermuteBlocks pack_permute_blocks(const CsrView& csr, PermuteBlockShape shape,
                                  const BlockCounts& counts, std::vector<uint32_t> order) {
  PermuteBlocks pack;
  pack.shape = shape;
  pack.rows = csr.rows;
  pack.cols = csr.cols;
  pack.order = std::move(order);
  pack.in_order = pack.order == rows_in_order(csr.rows, shape.lanes);
  const PermuteBlockCount size = count_permute_block(counts, pack.order, shape.lanes);
  pack.blocks.reserve(size.blocks);
  pack.indices.assign(size.steps * shape.lanes, 0);
  pack.weights.assign(size.steps * shape.lanes, 0.0f);

  const uint32_t partial = csr.cols % shape.block_cols == 0 ? UINT32_MAX : counts.blocks - 1;
  std::vector<uint8_t> longest;
  std::vector<uint32_t> sequence;                   // the blocks of a group, in their order
  std::vector<uint32_t> first_step(counts.blocks);  // of each block
  uint32_t steps = 0;
  for (size_t first = 0; first < pack.order.size(); first += shape.lanes) {
    pack.group_blocks.push_back(static_cast<uint32_t>(pack.blocks.size()));
    pack.group_steps.push_back(steps);
    group_longest(counts, &pack.order[first], shape.lanes, longest);
    sequence.clear();
    for (uint32_t b = 0; b < counts.blocks; ++b) {
      if (longest[b] > 0) sequence.push_back(b);
    }
    std::stable_sort(sequence.begin(), sequence.end(), [&](uint32_t a, uint32_t b) {
      if ((a == partial) != (b == partial)) return b == partial;
      return longest[a] < longest[b];
    });
    for (uint32_t b : sequence) {
      pack.blocks.push_back(b << 8 | longest[b]);
      first_step[b] = steps;
      steps += longest[b];
    }
    for (uint32_t lane = 0; lane < shape.lanes; ++lane) {
      const uint32_t row = pack.order[first + lane];
      if (row == kNoRow) continue;
      uint32_t block = UINT32_MAX, step = 0;
      for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
        const uint32_t col = static_cast<uint32_t>(csr.col_idx[i]);
        if (col / shape.block_cols != block) {
          block = col / shape.block_cols;
          step = first_step[block];
        }
        const size_t at = size_t{step++} * shape.lanes + lane;
        pack.weights[at] = csr.values[i];
        const uint32_t low = col & (shape.lookup_cols - 1);
        const bool high = shape.block_cols > shape.lookup_cols && (col & shape.lookup_cols) != 0;
        pack.indices[at] = static_cast<uint8_t>(low | (high ? 0x80 : 0));
      }
    }
  }
  pack.group_blocks.push_back(static_cast<uint32_t>(pack.blocks.size()));
  pack.group_steps.push_back(steps);

  pack.row_block_groups.push_back(0);
  const uint32_t block = permute_row_block(csr.cols);  // a multiple of the lanes
  for (uint32_t first = 0; first < csr.rows; first += block) {
    const uint32_t begin = pack.row_block_groups.back();
    const uint32_t rows = std::min(csr.rows - first, block);
    const uint32_t end = begin + (rows + shape.lanes - 1) / shape.lanes;
    pack.row_block_groups.push_back(end);
    // A block costs about as much as a step, a group a little more.
    pack.row_blocks.add(first + rows, pack.group_steps[end] - pack.group_steps[begin] +
                                          pack.group_blocks[end] - pack.group_blocks[begin] +
                                          2 * (end - begin));
  }
  return pack;
}

void compress_permute_blocks(PermuteBlocks& pack) {
  const uint32_t lanes = pack.shape.lanes;
  size_t next = 0;
  uint32_t group = 0;
  pack.masks.reserve(pack.group_steps.back());
  for (uint32_t step = 0; step < pack.group_steps.back(); ++step) {
    while (pack.group_steps[group] <= step) {
      pack.group_entries.push_back(static_cast<uint32_t>(next));
      ++group;
    }
    uint16_t mask = 0;
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      const size_t at = size_t{step} * lanes + lane;
      if (pack.weights[at] == 0.0f) continue;
      mask = static_cast<uint16_t>(mask | 1u << lane);
      pack.weights[next] = pack.weights[at];
      pack.indices[next] = pack.indices[at];
      ++next;
    }
    pack.masks.push_back(mask);
  }
  pack.group_entries.resize(pack.group_steps.size(), static_cast<uint32_t>(next));
  constexpr size_t kOverRead = 16;
  pack.weights.resize(next + kOverRead);
  pack.indices.resize(next + kOverRead);
  pack.weights.shrink_to_fit();
  pack.indices.shrink_to_fit();
}

}  // namespace espalier
