#include "sparse/short_blocks.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace espalier {
namespace {

class Packer {
 public:
  // pack.weights has its final size and is zero; words and offsets grow.
  Packer(const CsrView& csr, const BlockCounts& counts, ShortBlocks& pack)
      : csr_(csr),
        counts_(counts),
        pack_(pack),
        place_(counts.blocks),
        used_(counts.blocks),
        by_steps_(counts.blocks),
        cols_(pack.block_cols),
        bits_(short_block_index_bits(pack.block_cols)) {}

  uint32_t steps() const { return step_; }

  void add_group(const uint32_t* rows) {
    pack_.group_blocks.push_back(static_cast<uint32_t>(pack_.offsets.size()));
    pack_.group_words.push_back(static_cast<uint32_t>(pack_.words.size() / kShortBlockLanes));
    pack_.group_steps.push_back(step_);
    group_longest(counts_, rows, kShortBlockLanes, longest_);
    sort_blocks();
    place_blocks();
    for (uint32_t lane = 0; lane < kShortBlockLanes; ++lane) {
      if (rows[lane] != kNoRow) add_row(rows[lane], lane);
    }
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

  // Without a branch for where a block ends, which nothing could guess.
  void add_row(uint32_t row, uint32_t lane) {
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
    std::fill(used_.begin(), used_.end(), uint8_t{0});
    for (int32_t i = csr_.row_ptr[row]; i < end; ++i) {
      const auto col = static_cast<uint32_t>(cols[i]);
      const uint32_t block = col >> shift;
      const Place& place = places[block];
      const uint32_t before = used[block]++;
      weights[size_t{place.step + before} * kShortBlockLanes] = values[i];
      words[size_t{place.word} * kShortBlockLanes] |= (col - std::min(block << shift, last))
                                                      << (place.bit + before * bits);
    }
  }

  uint32_t first_col(uint32_t block) const { return std::min(block * cols_, csr_.cols - cols_); }

  const CsrView& csr_;
  const BlockCounts& counts_;
  ShortBlocks& pack_;
  std::vector<uint8_t> longest_;
  std::vector<Place> place_;
  std::vector<uint8_t> used_;  // steps of each block that the row at hand has had
  std::vector<uint32_t> by_steps_;
  std::array<uint32_t, kShortBlockMostBlockCols + 2> starts_ = {};
  uint32_t cols_, bits_;
  uint32_t step_ = 0;
};

}  // namespace

std::vector<uint32_t> rows_by_count(const CsrView& csr, uint32_t lanes) {
  std::vector<uint32_t> order;
  order.reserve(size_t{csr.rows} + lanes);
  const auto count = [&](uint32_t row) { return csr.row_ptr[row + 1] - csr.row_ptr[row]; };
  const uint32_t block = permute_row_block(csr.cols);
  for (uint32_t first = 0; first < csr.rows; first += block) {
    const size_t begin = order.size();
    order.resize(begin + std::min(csr.rows - first, block));
    std::iota(order.begin() + static_cast<std::ptrdiff_t>(begin), order.end(), first);
    std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(begin), order.end(),
                     [&](uint32_t a, uint32_t b) { return count(a) > count(b); });
  }
  order.resize((size_t{csr.rows} + lanes - 1) / lanes * lanes, kNoRow);
  return order;
}

ShortBlocks pack_short_blocks(const CsrView& csr, uint32_t block_cols, const BlockCounts& counts,
                              std::vector<uint32_t> order, PermuteBlockCount size) {
  ShortBlocks pack;
  pack.block_cols = block_cols;
  pack.rows = csr.rows;
  pack.cols = csr.cols;
  pack.order = std::move(order);
  pack.in_order = pack.order == rows_in_order(csr.rows, kShortBlockLanes);
  pack.weights.assign(size.steps * kShortBlockLanes, 0.0f);
  pack.words.reserve((size.steps / 8 + block_cols * size.groups) * kShortBlockLanes);
  pack.offsets.reserve(size.blocks);
  Packer packer(csr, counts, pack);
  pack.row_block_groups.push_back(0);
  const uint32_t block = permute_row_block(csr.cols);  // a multiple of the lanes
  for (uint32_t first = 0; first < csr.rows; first += block) {
    const size_t steps = packer.steps(), blocks = pack.offsets.size();
    const uint32_t begin = pack.row_block_groups.back();
    const uint32_t rows = std::min(csr.rows - first, block);
    const uint32_t end = begin + (rows + kShortBlockLanes - 1) / kShortBlockLanes;
    for (uint32_t group = begin; group < end; ++group) {
      packer.add_group(&pack.order[size_t{group} * kShortBlockLanes]);
    }
    pack.row_block_groups.push_back(end);
    // A block costs about as much as a step, a group more.
    pack.row_blocks.add(first + rows,
                        packer.steps() - steps + pack.offsets.size() - blocks + 8 * (end - begin));
  }
  pack.group_blocks.push_back(static_cast<uint32_t>(pack.offsets.size()));
  pack.group_words.push_back(static_cast<uint32_t>(pack.words.size() / kShortBlockLanes));
  pack.group_steps.push_back(packer.steps());
  return pack;
}

}  // namespace espalier
