#include "sparse/short_blocks.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace espalier {
namespace {

class Packer {
 public:
  // pack.weights has its final size and is zero, pack.tail_columns has a step more than it needs;
  // words and offsets grow.
  Packer(const CsrView& csr, const ShortBlocksPlan& plan, ShortBlocks& pack)
      : csr_(csr),
        plan_(plan),
        counts_(plan.counts),
        pack_(pack),
        place_(plan.counts.blocks),
        used_(plan.counts.blocks),
        by_steps_(plan.counts.blocks),
        cols_(plan.block_cols),
        bits_(short_block_index_bits(plan.block_cols)) {}

  uint32_t steps() const { return step_; }
  uint32_t tails() const { return tail_; }

  void add_group(const uint32_t* rows) {
    pack_.group_blocks.push_back(static_cast<uint32_t>(pack_.offsets.size()));
    pack_.group_words.push_back(static_cast<uint32_t>(pack_.words.size() / kShortBlockLanes));
    pack_.group_steps.push_back(step_);
    pack_.group_tails.push_back(tail_);
    group_longest(counts_, rows, kShortBlockLanes, longest_);
    const auto most = static_cast<uint8_t>(plan_.most_steps);
    for (uint8_t& steps : longest_) steps = std::min(steps, most);
    sort_blocks();
    place_blocks();
    uint32_t tail = 0;
    for (uint32_t lane = 0; lane < kShortBlockLanes && !plan_.tails.empty(); ++lane) {
      if (rows[lane] != kNoRow) tail = std::max(tail, plan_.tails[rows[lane]]);
    }
    for (uint32_t lane = 0; lane < kShortBlockLanes; ++lane) {
      if (tail > 0) {
        add_row_with_tail(rows[lane], lane, tail);
      } else if (rows[lane] != kNoRow) {
        add_row<false>(rows[lane], lane);
      }
    }
    step_ += tail;
    tail_ += tail;
  }

 private:
  struct Place {
    uint32_t step;  // of the block's first step among all steps
    uint32_t word;  // of its index
    uint32_t bit;   // of its index in the word
  };

  // The blocks by their steps, and where those of each number of steps begin.
  void sort_blocks() {
    starts_.fill(0);
    for (uint8_t steps : longest_) ++starts_[steps + 1];
    for (size_t steps = 1; steps < starts_.size(); ++steps) starts_[steps] += starts_[steps - 1];
    auto next = starts_;
    for (uint32_t b = 0; b < counts_.blocks; ++b) by_steps_[next[longest_[b]]++] = b;
  }

  // Gives each block that has steps its place: those of one step first.
  void place_blocks() {
    auto word = static_cast<uint32_t>(pack_.words.size() / kShortBlockLanes);
    const uint32_t word_steps = short_block_word_steps(cols_);
    pack_.offsets.reserve(pack_.offsets.size() + counts_.blocks);
    for (uint32_t steps = 1; steps <= cols_; ++steps) {
      const uint32_t word_end = word_steps / steps * steps * bits_;
      const uint32_t begin = starts_[steps], end = starts_[steps + 1];
      uint32_t bit = 0;
      for (uint32_t i = begin; i < end; ++i) {
        const uint32_t b = by_steps_[i];
        pack_.offsets.push_back(static_cast<uint16_t>(first_col(b)));
        place_[b] = {step_, word, bit};
        step_ += steps;
        bit += steps * bits_;
        if (bit == word_end) {
          bit = 0;
          ++word;
        }
      }
      pack_.runs.push_back(end - begin);
      word += bit != 0;
    }
    pack_.words.resize(size_t{word} * kShortBlockLanes, 0u);
  }

  // Fills the tail up with a column that the row has anyhow.
  void add_row_with_tail(uint32_t row, uint32_t lane, uint32_t steps) {
    uint32_t used = 0;
    uint16_t own = 0;
    if (row != kNoRow && csr_.row_ptr[row] != csr_.row_ptr[row + 1]) {
      add_row<true>(row, lane);
      used = plan_.tails[row];
      own = static_cast<uint16_t>(csr_.col_idx[csr_.row_ptr[row]]);
    }
    for (; used < steps; ++used) {
      pack_.tail_columns[size_t{tail_ + used} * kShortBlockLanes + lane] = own;
    }
  }

  // Without a branch for where a block ends, or is full, which nothing could guess.
  template <bool kTail>
  void add_row(uint32_t row, uint32_t lane) {
    // There may be no entry at all, and no memory for any.
    if (csr_.row_ptr[row] == csr_.row_ptr[row + 1]) return;
    // What is written could be any of the members, unless they are local.
    const Place* const places = place_.data();
    uint8_t* const used = used_.data();
    float* const weights = pack_.weights.data() + lane;
    uint32_t* const words = pack_.words.data() + lane;
    const int32_t* const cols = csr_.col_idx;
    const float* const values = csr_.values;
    const unsigned shift = log2_of(cols_);
    const uint32_t bits = bits_, last = csr_.cols - cols_;
    const int32_t end = csr_.row_ptr[row + 1];
    const uint32_t most_steps = plan_.most_steps, tail_step = step_;
    uint16_t* const columns = pack_.tail_columns.data() + size_t{tail_} * kShortBlockLanes + lane;
    uint32_t tail = 0;
    std::fill(used_.begin(), used_.end(), uint8_t{0});
    for (int32_t i = csr_.row_ptr[row]; i < end; ++i) {
      const auto col = static_cast<uint32_t>(cols[i]);
      const uint32_t block = col >> shift;
      const Place& place = places[block];
      const uint32_t before = used[block]++;
      const uint32_t index = col - std::min(block << shift, last);
      if (kTail) {
        // Masks, of which no compiler makes a branch.
        const uint32_t over = before >= most_steps, mask = 0u - over;
        const uint32_t step = ((place.step + before) & ~mask) | ((tail_step + tail) & mask);
        weights[size_t{step} * kShortBlockLanes] = values[i];
        words[size_t{place.word} * kShortBlockLanes] |= (index & ~mask)
                                                        << ((place.bit + before * bits) & 31);
        // The next one writes over what belongs to the block.
        columns[size_t{tail} * kShortBlockLanes] = static_cast<uint16_t>(col);
        tail += over;
      } else {
        weights[size_t{place.step + before} * kShortBlockLanes] = values[i];
        words[size_t{place.word} * kShortBlockLanes] |= index << (place.bit + before * bits);
      }
    }
  }

  uint32_t first_col(uint32_t block) const { return std::min(block * cols_, csr_.cols - cols_); }

  const CsrView& csr_;
  const ShortBlocksPlan& plan_;
  const BlockCounts& counts_;
  ShortBlocks& pack_;
  std::vector<uint8_t> longest_;
  std::vector<Place> place_;
  std::vector<uint8_t> used_;  // steps of each block that the row at hand has had
  std::vector<uint32_t> by_steps_;
  std::array<uint32_t, kShortBlockMostBlockCols + 2> starts_ = {};
  uint32_t cols_, bits_;
  uint32_t step_ = 0;
  uint32_t tail_ = 0;  // of step_, those of tails
};

}  // namespace

std::vector<uint32_t> row_tails(const BlockCounts& counts, uint32_t rows, uint32_t most_steps) {
  std::vector<uint32_t> tails(rows);
  const auto most = static_cast<uint8_t>(most_steps);
  for (uint32_t row = 0; row < rows; ++row) {
    const uint8_t* of_row = counts.row(row);
    uint32_t tail = 0;
    for (uint32_t b = 0; b < counts.blocks; ++b) tail += std::max(of_row[b], most);
    tails[row] = tail - counts.blocks * most;
  }
  return tails;
}

std::vector<uint32_t> rows_by_count(const CsrView& csr, uint32_t lanes,
                                    const std::vector<uint32_t>& tails) {
  std::vector<uint32_t> order;
  order.reserve(size_t{csr.rows} + lanes);
  const auto count = [&](uint32_t row) { return csr.row_ptr[row + 1] - csr.row_ptr[row]; };
  const uint32_t block = permute_row_block(csr.cols);
  for (uint32_t first = 0; first < csr.rows; first += block) {
    const size_t begin = order.size();
    order.resize(begin + std::min(csr.rows - first, block));
    std::iota(order.begin() + static_cast<std::ptrdiff_t>(begin), order.end(), first);
    std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(begin), order.end(),
                     [&](uint32_t a, uint32_t b) {
                       if (!tails.empty() && tails[a] != tails[b]) return tails[a] > tails[b];
                       return count(a) > count(b);
                     });
  }
  order.resize((size_t{csr.rows} + lanes - 1) / lanes * lanes, kNoRow);
  return order;
}

void count_short_blocks(ShortBlocksPlan& plan) {
  plan.size = count_permute_block(plan.counts, plan.order, kShortBlockLanes, plan.most_steps);
  plan.tail_steps = 0;
  if (plan.tails.empty()) return;
  for (size_t first = 0; first < plan.order.size(); first += kShortBlockLanes) {
    uint32_t longest = 0;
    for (size_t i = first; i < first + kShortBlockLanes; ++i) {
      if (plan.order[i] != kNoRow) longest = std::max(longest, plan.tails[plan.order[i]]);
    }
    plan.tail_steps += longest;
  }
}

ShortBlocks pack_short_blocks(const CsrView& csr, const ShortBlocksPlan& plan) {
  // A step of a tail costs as much as four of a block.
  constexpr size_t kTailWork = 3;
  const PermuteBlockCount& size = plan.size;
  ShortBlocks pack;
  pack.block_cols = plan.block_cols;
  pack.rows = csr.rows;
  pack.cols = csr.cols;
  pack.order = plan.order;
  pack.in_order = pack.order == rows_in_order(csr.rows, kShortBlockLanes);
  pack.weights.assign((size.steps + plan.tail_steps) * kShortBlockLanes, 0.0f);
  pack.tail_columns.resize((plan.tail_steps + 1) * kShortBlockLanes);
  pack.words.reserve((size.steps / 8 + plan.block_cols * size.groups) * kShortBlockLanes);
  pack.offsets.reserve(size.blocks);
  Packer packer(csr, plan, pack);
  pack.row_block_groups.push_back(0);
  const uint32_t block = permute_row_block(csr.cols);  // a multiple of the lanes
  for (uint32_t first = 0; first < csr.rows; first += block) {
    const size_t steps = packer.steps(), blocks = pack.offsets.size(), tails = packer.tails();
    const uint32_t begin = pack.row_block_groups.back();
    const uint32_t rows = std::min(csr.rows - first, block);
    const uint32_t end = begin + (rows + kShortBlockLanes - 1) / kShortBlockLanes;
    for (uint32_t group = begin; group < end; ++group) {
      packer.add_group(&pack.order[size_t{group} * kShortBlockLanes]);
    }
    pack.row_block_groups.push_back(end);
    // A block costs about as much as a step, a group more.
    pack.row_blocks.add(first + rows, packer.steps() - steps +
                                          kTailWork * (packer.tails() - tails) +
                                          pack.offsets.size() - blocks + 8 * (end - begin));
  }
  pack.group_blocks.push_back(static_cast<uint32_t>(pack.offsets.size()));
  pack.group_words.push_back(static_cast<uint32_t>(pack.words.size() / kShortBlockLanes));
  pack.group_steps.push_back(packer.steps());
  pack.group_tails.push_back(packer.tails());
  pack.tail_columns.resize(plan.tail_steps * kShortBlockLanes);
  return pack;
}

}  // namespace espalier
