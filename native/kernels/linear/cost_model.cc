#include "kernels/linear/cost_model.h"

#include <algorithm>

namespace espalier {
namespace {

// What one core reads from the second- and third-level cache and from memory, in bytes a
// nanosecond; l3_far: weights beyond kFarShare, of which some are not there when they come again.
struct ReadRates {
  double l2, l3, memory, l3_far;
};
constexpr CostByIsa<ReadRates> kReadRates = {
    // l2, l3, memory, l3_far
    {115, 94, 25, 94},  // AVX-512
    {88, 72, 17, 28},   // AVX2
    {88, 66, 15, 66},   // portable
};

// A call does nothing in less.
constexpr double kCall = 8;

}  // namespace

double at_least_reading(Isa isa, double ns, double bytes, bool cold, double from_memory) {
  const CacheSizes& caches = cache_sizes();
  const ReadRates& rates = kReadRates[isa];
  const double memory = rates.memory / from_memory;
  const double rate = cold                            ? memory
                      : bytes < 0.8 * caches.l2       ? rates.l2
                      : bytes < kFarShare * caches.l3 ? rates.l3
                      : bytes < 0.8 * caches.l3       ? rates.l3_far
                                                      : memory;
  return std::max(ns, !cold && bytes < caches.l1d ? 0.0 : bytes / rate) + kCall;
}

}  // namespace espalier
