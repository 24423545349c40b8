#include "sparse/row_blocks.h"

#include <gtest/gtest.h>

namespace espalier {
namespace {

TEST(RowBlocks, PartsCoverEveryBlockOnceInOrder) {
  for (uint32_t count : {0u, 1u, 2u, 3u, 17u, 64u}) {
    RowBlocks blocks;
    for (uint32_t i = 0; i < count; ++i) blocks.add((i + 1) * 16, i * i % 7);
    for (int parts : {1, 2, 3, 8, 100}) {
      uint32_t next = 0;
      for (int part = 0; part < parts; ++part) {
        const BlockRange range = blocks.part(part, parts);
        EXPECT_EQ(range.begin, next);
        EXPECT_LE(range.begin, range.end);
        next = range.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(RowBlocks, SplitsByWorkAndNotByCount) {
  RowBlocks blocks;
  for (uint64_t work : {100u, 1u, 1u, 1u, 97u}) blocks.add(1, work);
  EXPECT_EQ(blocks.part(0, 2).end, 1u);
  RowBlocks even;
  for (int i = 0; i < 10; ++i) even.add(1, 5);
  EXPECT_EQ(even.part(0, 2).end, 5u);
}

}  // namespace
}  // namespace espalier
