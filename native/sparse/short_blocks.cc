#include "sparse/short_blocks.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace espalier {
namespace {

class Packer {
 public:
  Packer(const CsrView& csr, const BlockCounts& counts, ShortBlocks& pack)
      : csr_(csr),
        counts_(counts),
        pack_(pack),
        place_(counts.blocks),
        cols_(pack.block_cols),
        shift_(log2_of(pack.block_cols)),
        bits_(short_block_index_bits(pack.block_cols)),
        word_steps_(short_block_word_steps(pack.block_cols)) {}

  void add_group(const uint32_t* rows) {
    pack_.group_blocks.push_back(static_cast<uint32_t>(pack_.offsets.size()));
    pack_.group_words.push_back(static_cast<uint32_t>(pack_.words.size() / kShortBlockLanes));
    pack_.group_steps.push_back(static_cast<uint32_t>(pack_.weights.size() / kShortBlockLanes));
    find_longest(rows);
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

  void find_longest(const uint32_t* rows) {
    longest_.assign(counts_.blocks, 0);
    for (uint32_t lane = 0; lane < kShortBlockLanes; ++lane) {
      if (rows[lane] == kNoRow) continue;
      const uint8_t* row = counts_.row(rows[lane]);
      for (uint32_t b = 0; b < counts_.blocks; ++b) longest_[b] = std::max(longest_[b], row[b]);
    }
  }

  // Gives each block that has steps its place: those of one step first.
  void place_blocks() {
    for (auto& blocks : by_steps_) blocks.clear();
    for (uint32_t b = 0; b < counts_.blocks; ++b) by_steps_[longest_[b]].push_back(b);
    auto step = static_cast<uint32_t>(pack_.weights.size() / kShortBlockLanes);
    auto word = static_cast<uint32_t>(pack_.words.size() / kShortBlockLanes);
    for (uint32_t steps = 1; steps <= cols_; ++steps) {
      const uint32_t blocks_a_word = word_steps_ / steps;
      uint32_t in_run = 0;
      for (uint32_t b : by_steps_[steps]) {
        pack_.offsets.push_back(static_cast<uint16_t>(first_col(b)));
        place_[b] = {step, word + in_run / blocks_a_word, in_run % blocks_a_word * steps * bits_};
        step += steps;
        ++in_run;
      }
      pack_.runs.push_back(in_run);
      word += (in_run + blocks_a_word - 1) / blocks_a_word;
    }
    pack_.weights.resize(size_t{step} * kShortBlockLanes, 0.0f);
    pack_.words.resize(size_t{word} * kShortBlockLanes, 0u);
  }

  void add_row(uint32_t row, uint32_t lane) {
    uint32_t block = UINT32_MAX;
    Place place = {};
    for (int32_t i = csr_.row_ptr[row]; i < csr_.row_ptr[row + 1]; ++i) {
      const uint32_t col = static_cast<uint32_t>(csr_.col_idx[i]);
      if (col >> shift_ != block) {
        block = col >> shift_;
        place = place_[block];
      }
      pack_.weights[size_t{place.step} * kShortBlockLanes + lane] = csr_.values[i];
      pack_.words[size_t{place.word} * kShortBlockLanes + lane] |= (col - first_col(block))
                                                                   << place.bit;
      ++place.step;
      place.bit += bits_;
    }
  }

  uint32_t first_col(uint32_t block) const { return std::min(block * cols_, csr_.cols - cols_); }

  const CsrView& csr_;
  const BlockCounts& counts_;
  ShortBlocks& pack_;
  std::vector<uint8_t> longest_;
  std::vector<Place> place_;
  std::array<std::vector<uint32_t>, kShortBlockMostBlockCols + 1> by_steps_;
  uint32_t cols_, shift_, bits_, word_steps_;
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
  pack.weights.reserve(size.steps * kShortBlockLanes);
  pack.words.reserve((size.steps / 8 + block_cols * size.groups) * kShortBlockLanes);
  pack.offsets.reserve(size.blocks);
  Packer packer(csr, counts, pack);
  pack.row_block_groups.push_back(0);
  const uint32_t block = permute_row_block(csr.cols);  // a multiple of the lanes
  for (uint32_t first = 0; first < csr.rows; first += block) {
    const size_t steps = pack.weights.size() / kShortBlockLanes, blocks = pack.offsets.size();
    const uint32_t begin = pack.row_block_groups.back();
    const uint32_t rows = std::min(csr.rows - first, block);
    const uint32_t end = begin + (rows + kShortBlockLanes - 1) / kShortBlockLanes;
    for (uint32_t group = begin; group < end; ++group) {
      packer.add_group(&pack.order[size_t{group} * kShortBlockLanes]);
    }
    pack.row_block_groups.push_back(end);
    // A block costs about as much as a step, a group more.
    pack.row_blocks.add(first + rows, pack.weights.size() / kShortBlockLanes - steps +
                                          pack.offsets.size() - blocks + 8 * (end - begin));
  }
  pack.group_blocks.push_back(static_cast<uint32_t>(pack.offsets.size()));
  pack.group_words.push_back(static_cast<uint32_t>(pack.words.size() / kShortBlockLanes));
  pack.group_steps.push_back(static_cast<uint32_t>(pack.weights.size() / kShortBlockLanes));
  return pack;
}

}  // namespace espalier
