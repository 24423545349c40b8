#include "sparse/select.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

namespace espalier {
namespace {

constexpr uint32_t kMagnitude = 0x7fffffff, kInfinity = 0x7f800000;
// A bin is the exponent with three bits of fraction: few enough for the first-level cache, four
// times over.
constexpr int kShift = 20;
constexpr size_t kBins = size_t{1} << (31 - kShift);
// Neighbours often fall into one bin, and a counter waits for its last store: each has four.
constexpr size_t kLanes = 4;

uint32_t magnitude_bits(const float* weights, size_t i) {
  uint32_t bits;
  std::memcpy(&bits, weights + i, sizeof bits);
  return bits & kMagnitude;
}

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

float kth_largest_magnitude(const float* weights, size_t n, size_t k) {
  // The bits of a non-negative float are ordered as the float is.
  std::vector<size_t> counts(kBins * kLanes);
  uint32_t largest = 0;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const uint32_t bits = magnitude_bits(weights, i + lane);
      largest = std::max(largest, bits);
      ++counts[lane * kBins + (bits >> kShift)];
    }
  }
  for (; i < n; ++i) {
    const uint32_t bits = magnitude_bits(weights, i);
    largest = std::max(largest, bits);
    ++counts[bits >> kShift];
  }
  if (largest > kInfinity) return std::numeric_limits<float>::quiet_NaN();

  size_t left = k, bin = kBins, count = 0;
  do {
    --bin;
    count = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) count += counts[lane * kBins + bin];
    if (count >= left) break;
    left -= count;
  } while (bin > 0);

  std::vector<uint32_t> candidates(count + 1);  // the last is written over, then left out
  size_t found = 0;
  for (size_t at = 0; at < n; ++at) {
    const uint32_t bits = magnitude_bits(weights, at);
    candidates[found] = bits;
    found += (bits >> kShift) == bin && found < count;
  }
  const auto kth = candidates.begin() + static_cast<ptrdiff_t>(left - 1);
  std::nth_element(candidates.begin(), kth, candidates.begin() + static_cast<ptrdiff_t>(count),
                   std::greater<uint32_t>());
  return from_bits(*kth);
}

}  // namespace espalier
