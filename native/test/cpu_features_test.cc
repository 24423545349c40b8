#include "cpu/features.h"

#include <gtest/gtest.h>

#include <string>

namespace espalier {
namespace {

TEST(Features, NamesRoundTrip) {
  for (Isa isa : kIsas) {
    EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  }
  EXPECT_EQ(isa_from_name("avx"), std::nullopt);
  EXPECT_EQ(isa_from_name(""), std::nullopt);
  EXPECT_EQ(isa_from_name("AVX2"), std::nullopt);
}

TEST(Features, PortableRunsEverywhereAndTheBestIsAvailable) {
  EXPECT_TRUE(isa_available(Isa::kPortable));
  EXPECT_TRUE(isa_available(best_isa()));
  EXPECT_FALSE(isa_available(Isa::kNeon) && isa_available(Isa::kAvx2));
}

// The suites print this: all native tests run on each of these.
TEST(Features, TellsWhatTheTestsRunOn) {
  std::string names;
  for (Isa isa : available_isas()) {
    names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
#if defined(ESPALIER_EMULATE_AVX512)
    if (isa == Isa::kAvx512) names += " (its double)";
#endif
  }
  RecordProperty("instruction_sets", names);
  EXPECT_EQ(names.rfind("portable", 0), 0u) << names;
}

TEST(Features, CacheSizesAreSane) {
  const CacheSizes& sizes = cache_sizes();
  EXPECT_GE(sizes.l1d, 8u * 1024);
  EXPECT_LE(sizes.l1d, 1024u * 1024);
  EXPECT_GE(sizes.l2, sizes.l1d);
}

}  // namespace
}  // namespace espalier
