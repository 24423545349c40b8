// What the packed layouts hold, unpacked again by the rules that their headers tell.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "sparse/dense_tiles.h"
#include "sparse/permute_block.h"
#include "sparse/row_tiles.h"
#include "sparse/sell.h"
#include "sparse/short_blocks.h"
#include "test/linear_test_support.h"

namespace espalier::test {
namespace {

using Entries = std::map<std::pair<uint32_t, uint32_t>, double>;  // (row, column) -> weight

Entries entries_of(const Csr& csr) {
  Entries entries;
  for (uint32_t row = 0; row < csr.rows; ++row) {
    for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
      entries[{row, static_cast<uint32_t>(csr.col_idx[i])}] = csr.values[i];
    }
  }
  return entries;
}

// Some rows empty, some full, counts that differ.
Csr uneven(uint32_t rows, uint32_t cols, uint32_t seed) {
  const Csr even = random_csr(rows, cols, 0.6, seed);
  std::vector<float> dense(static_cast<size_t>(rows) * cols);
  for (const auto& [place, weight] : entries_of(even)) {
    const bool kept = place.first % 5 != 0 && place.second * 3 < cols * (1 + place.first % 3);
    if (kept) dense[static_cast<size_t>(place.first) * cols + place.second] = weight;
  }
  return csr_from_dense(dense.data(), rows, cols);
}

std::vector<Csr> matrices() {
  return {random_csr(1, 1, 0, 1),       random_csr(33, 70, 0.5, 2), random_csr(600, 130, 0.9, 3),
          random_csr(40, 1500, 0.8, 4), uneven(97, 203, 5),         random_csr(20, 30, 1.0, 6)};
}

TEST(DenseTiles, HoldEveryWeightInItsLane) {
  for (const Csr& csr : matrices()) {
    const DenseTiles tiles = pack_dense_tiles(csr.view());
    Entries entries;
    for (size_t i = 0; i < tiles.weights.size(); ++i) {
      if (tiles.weights[i] == 0) continue;
      const size_t tile = i / kDenseTileRows / csr.cols;
      const uint32_t row = static_cast<uint32_t>(tile * kDenseTileRows + i % kDenseTileRows);
      entries[{row, static_cast<uint32_t>(i / kDenseTileRows % csr.cols)}] = tiles.weights[i];
    }
    EXPECT_EQ(entries, entries_of(csr));
  }
}

class PermuteBlockTest : public testing::TestWithParam<PermuteBlockShape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, PermuteBlockTest,
                         testing::Values(PermuteBlockShape{16, 64, 32},
                                         PermuteBlockShape{16, 32, 32},
                                         PermuteBlockShape{8, 16, 8}));

TEST_P(PermuteBlockTest, HoldsEveryWeightOnceAndZerosElsewhere) {
  const PermuteBlockShape shape = GetParam();
  for (const Csr& csr : matrices()) {
    const BlockCounts counts = count_blocks(csr.view(), shape.block_cols);
    for (const auto& order : {rows_in_order(csr.rows, shape.lanes),
                              group_rows_greedily(csr.view(), counts, shape.lanes)}) {
      const PermuteBlocks pack = pack_permute_blocks(csr.view(), shape, counts, order);
      Entries entries;
      for (size_t group = 0; group + 1 < pack.group_blocks.size(); ++group) {
        size_t step = pack.group_steps[group];
        for (uint32_t b = pack.group_blocks[group]; b < pack.group_blocks[group + 1]; ++b) {
          const uint32_t block = pack.blocks[b] >> 8;
          EXPECT_GT(pack.blocks[b] & 0xff, 0u);
          for (uint32_t s = 0; s < (pack.blocks[b] & 0xff); ++s, ++step) {
            for (uint32_t lane = 0; lane < shape.lanes; ++lane) {
              const float weight = pack.weights[step * shape.lanes + lane];
              if (weight == 0) continue;
              const uint8_t index = pack.indices[step * shape.lanes + lane];
              const uint32_t col = block * shape.block_cols + (index & 0x7f) +
                                   (index & 0x80 ? shape.lookup_cols : 0);
              const uint32_t row = pack.order[group * shape.lanes + lane];
              EXPECT_TRUE(entries.emplace(std::pair{row, col}, weight).second);
            }
          }
        }
        EXPECT_EQ(step, pack.group_steps[group + 1]);
      }
      EXPECT_EQ(entries, entries_of(csr));
    }
  }
}

TEST_P(PermuteBlockTest, OrdersHoldEveryRowOnceInsideItsRowBlock) {
  const PermuteBlockShape shape = GetParam();
  for (const Csr& csr : matrices()) {
    const BlockCounts counts = count_blocks(csr.view(), shape.block_cols);
    const auto order = group_rows_greedily(csr.view(), counts, shape.lanes);
    const PermuteBlocks pack = pack_permute_blocks(csr.view(), shape, counts, order);
    std::set<uint32_t> seen;
    for (uint32_t block = 0; block < pack.row_blocks.count(); ++block) {
      for (uint32_t i = pack.row_block_groups[block] * shape.lanes;
           i < pack.row_block_groups[block + 1] * shape.lanes; ++i) {
        if (order[i] == kNoRow) continue;
        EXPECT_GE(order[i], pack.row_blocks.first_row(block));
        EXPECT_LT(order[i], pack.row_blocks.first_row(block + 1));
        EXPECT_TRUE(seen.insert(order[i]).second);
      }
    }
    EXPECT_EQ(seen.size(), csr.rows);
  }
}

TEST_P(PermuteBlockTest, CompressedHoldsTheSameWithoutZeros) {
  const PermuteBlockShape shape = GetParam();
  for (const Csr& csr : matrices()) {
    const BlockCounts counts = count_blocks(csr.view(), shape.block_cols);
    const PermuteBlocks padded =
        pack_permute_blocks(csr.view(), shape, counts, rows_in_order(csr.rows, shape.lanes));
    PermuteBlocks compressed = padded;
    compress_permute_blocks(compressed);
    ASSERT_EQ(compressed.masks.size(), padded.group_steps.back());
    ASSERT_EQ(compressed.group_entries.size(), padded.group_steps.size());
    EXPECT_EQ(compressed.weights.size(), csr.values.size() + 16);
    size_t entry = 0;
    for (size_t group = 0; group + 1 < padded.group_steps.size(); ++group) {
      EXPECT_EQ(compressed.group_entries[group], entry);
      for (size_t step = padded.group_steps[group]; step < padded.group_steps[group + 1]; ++step) {
        for (uint32_t lane = 0; lane < shape.lanes; ++lane) {
          const size_t at = step * shape.lanes + lane;
          ASSERT_EQ(compressed.masks[step] >> lane & 1, padded.weights[at] != 0 ? 1 : 0);
          if (padded.weights[at] == 0) continue;
          EXPECT_EQ(compressed.weights[entry], padded.weights[at]);
          EXPECT_EQ(compressed.indices[entry], padded.indices[at]);
          ++entry;
        }
      }
    }
    EXPECT_EQ(entry, csr.values.size());
  }
}

TEST(PermuteBlock, GroupingNeedsFewerStepsThanTheOrderOfUnevenRows) {
  const Csr csr = uneven(400, 640, 8);
  const BlockCounts counts = count_blocks(csr.view(), 64);
  const auto in_order = count_permute_block(counts, rows_in_order(csr.rows, 16), 16);
  const auto grouped = count_permute_block(counts, group_rows_greedily(csr.view(), counts, 16), 16);
  EXPECT_LT(grouped.steps, in_order.steps);
}

TEST(ShortBlocks, PairsOfBlocksAreBlocksTwiceAsWide) {
  for (const Csr& csr : matrices()) {
    const BlockCounts pairs = pair_blocks(count_blocks(csr.view(), 4), csr.rows);
    const BlockCounts counted = count_blocks(csr.view(), 8);
    EXPECT_EQ(pairs.blocks, counted.blocks);
    EXPECT_EQ(pairs.counts, counted.counts);
  }
}

TEST(ShortBlocks, HoldEveryWeightOnceAndZerosElsewhere) {
  for (const Csr& csr : matrices()) {
    for (const auto& [block_cols, most_steps, in_order] : {std::tuple{4u, 4u, true},
                                                           {4u, 4u, false},
                                                           {4u, 1u, true},
                                                           {4u, 3u, false},
                                                           {8u, 8u, true},
                                                           {8u, 8u, false},
                                                           {8u, 1u, false},
                                                           {8u, 2u, true}}) {
      if (csr.cols < block_cols) continue;
      const BlockCounts counts = count_blocks(csr.view(), block_cols);
      const auto order = in_order ? rows_in_order(csr.rows, kShortBlockLanes)
                                  : rows_by_count(csr.view(), kShortBlockLanes);
      ShortBlocksPlan plan;
      plan.block_cols = block_cols;
      plan.most_steps = most_steps;
      plan.counts = counts;
      plan.order = order;
      if (most_steps < block_cols) plan.tails = row_tails(counts, csr.rows, most_steps);
      count_short_blocks(plan);
      const ShortBlocks pack = pack_short_blocks(csr.view(), plan);
      const uint32_t index_bits = short_block_index_bits(block_cols);
      Entries entries;
      for (size_t group = 0; group + 1 < pack.group_steps.size(); ++group) {
        size_t block = pack.group_blocks[group], step = pack.group_steps[group];
        size_t word = pack.group_words[group];
        for (uint32_t steps = 1; steps <= block_cols; ++steps) {
          const uint32_t blocks = pack.runs[group * block_cols + steps - 1];
          const uint32_t blocks_a_word = short_block_word_steps(block_cols) / steps;
          for (uint32_t i = 0; i < blocks; ++i, ++block) {
            for (uint32_t s = 0; s < steps; ++s, ++step) {
              for (uint32_t lane = 0; lane < kShortBlockLanes; ++lane) {
                const float weight = pack.weights[step * kShortBlockLanes + lane];
                if (weight == 0) continue;
                const uint32_t bits =
                    pack.words[(word + i / blocks_a_word) * kShortBlockLanes + lane];
                const uint32_t index =
                    bits >> index_bits * (i % blocks_a_word * steps + s) & (block_cols - 1);
                const uint32_t row = pack.order[group * kShortBlockLanes + lane];
                EXPECT_TRUE(
                    entries.emplace(std::pair{row, pack.offsets[block] + index}, weight).second);
              }
            }
            EXPECT_LE(pack.offsets[block] + block_cols, csr.cols);
          }
          word += (blocks + blocks_a_word - 1) / blocks_a_word;
        }
        EXPECT_EQ(block, pack.group_blocks[group + 1]);
        for (size_t tail = pack.group_tails[group]; tail < pack.group_tails[group + 1];
             ++tail, ++step) {
          for (uint32_t lane = 0; lane < kShortBlockLanes; ++lane) {
            const uint32_t col = pack.tail_columns[tail * kShortBlockLanes + lane];
            EXPECT_LT(col, csr.cols);
            const float weight = pack.weights[step * kShortBlockLanes + lane];
            if (weight == 0) continue;
            const uint32_t row = pack.order[group * kShortBlockLanes + lane];
            EXPECT_TRUE(entries.emplace(std::pair{row, col}, weight).second);
          }
        }
        EXPECT_EQ(step, pack.group_steps[group + 1]);
        EXPECT_EQ(word, pack.group_words[group + 1]);
      }
      EXPECT_EQ(entries, entries_of(csr));
    }
  }
}

TEST(Sell, HoldsEveryWeightOnceAndZerosElsewhere) {
  for (uint32_t lanes : {4u, 8u}) {
    for (const Csr& csr : matrices()) {
      const Sell pack = pack_sell(csr.view(), lanes);
      Entries entries;
      std::set<uint32_t> seen;
      for (size_t group = 0; group + 1 < pack.group_steps.size(); ++group) {
        for (uint32_t lane = 0; lane < lanes; ++lane) {
          const uint32_t row = pack.order[group * lanes + lane];
          if (row != kSellNoRow) {
            EXPECT_TRUE(seen.insert(row).second);
          }
          for (uint32_t step = pack.group_steps[group]; step < pack.group_steps[group + 1];
               ++step) {
            const float weight = pack.weights[size_t{step} * lanes + lane];
            const uint32_t col = pack.columns[size_t{step} * lanes + lane];
            EXPECT_LT(col, csr.cols);
            if (weight != 0) {
              EXPECT_TRUE(entries.emplace(std::pair{row, col}, weight).second);
            }
          }
        }
      }
      EXPECT_EQ(seen.size(), csr.rows);
      EXPECT_EQ(entries, entries_of(csr));
      const SellCount count = count_sell(csr.view(), lanes);
      EXPECT_EQ(count.steps, pack.group_steps.back());
      EXPECT_EQ(count.groups + 1, pack.group_steps.size());
      // Rows do not leave their row block.
      for (uint32_t block = 0; block < pack.row_blocks.count(); ++block) {
        for (uint32_t i = pack.row_block_groups[block] * lanes;
             i < pack.row_block_groups[block + 1] * lanes; ++i) {
          if (pack.order[i] == kSellNoRow) continue;
          EXPECT_GE(pack.order[i], pack.row_blocks.first_row(block));
          EXPECT_LT(pack.order[i], pack.row_blocks.first_row(block + 1));
        }
      }
    }
  }
}

TEST(RowTiles, HoldEveryWeightAndSplitOnlyInExactHalves) {
  for (const Csr& csr : matrices()) {
    for (const auto& [tile_rows, tile_cols] :
         {std::pair{512u, 2048u}, std::pair{64u, 96u}, std::pair{7u, 13u}}) {
      const RowTiles pack = pack_row_tiles(csr.view(), tile_rows, tile_cols);
      Entries entries;
      std::vector<int> started(csr.rows), finished(csr.rows);
      for (const RowTile& tile : pack.tiles) {
        uint32_t row_at = tile.row_begin, entry = tile.entry_begin;
        const auto read_rows = [&](uint32_t count, uint32_t steps) {
          for (uint32_t i = 0; i < steps * count; ++i, ++entry) {
            const uint32_t row = tile.first_row + pack.tile_rows[row_at + i % count];
            EXPECT_EQ(pack.columns[entry] % kColumnUnit, 0);
            const uint32_t col = tile.first_col + pack.columns[entry] / kColumnUnit;
            EXPECT_NE(pack.weights[entry], 0.0f);
            const auto [place, is_new] = entries.emplace(std::pair{row, col}, 0.0);
            if (!is_new) {
              EXPECT_EQ(place->second, pack.weights[entry]);
            }
            place->second += pack.weights[entry];
          }
          for (uint32_t r = 0; r < count; ++r, ++row_at) {
            started[tile.first_row + pack.tile_rows[row_at]] += tile.first;
            finished[tile.first_row + pack.tile_rows[row_at]] += tile.last;
          }
        };
        for (uint32_t run = tile.run_begin; run < tile.run_end; ++run) {
          for (uint32_t i = 0; i < pack.runs[run].quads; ++i) read_rows(4, pack.runs[run].steps);
          for (uint32_t i = 0; i < pack.runs[run].singles; ++i) read_rows(1, pack.runs[run].steps);
        }
      }
      EXPECT_EQ(entries, entries_of(csr));
      EXPECT_EQ(started, std::vector<int>(csr.rows, 1));
      EXPECT_EQ(finished, std::vector<int>(csr.rows, 1));
    }
  }
}

TEST(RowTiles, DenormalWeightsAreNeverSplit) {
  Csr csr = uneven(60, 80, 9);
  for (float& weight : csr.values) weight = 3e-45f;
  const RowTiles pack = pack_row_tiles(csr.view(), 64, 96);
  EXPECT_EQ(pack.weights.size(), csr.values.size());
  for (float weight : pack.weights) EXPECT_EQ(weight, 3e-45f);
}

TEST(RowTiles, StoreFewEntriesTwice) {
  const Csr csr = random_csr(256, 512, 0.9, 10);
  const RowTiles pack = pack_row_tiles(csr.view(), 256, 96);
  EXPECT_LT(pack.weights.size(), csr.values.size() * 1.06);
}

}  // namespace
}  // namespace espalier::test
