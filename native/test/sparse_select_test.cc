#include "sparse/select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace espalier {
namespace {

// Sorts: what selection avoids.
float sorted_kth(const std::vector<float>& weights, size_t k) {
  std::vector<float> magnitudes;
  for (const float weight : weights) magnitudes.push_back(std::fabs(weight));
  std::sort(magnitudes.begin(), magnitudes.end(), std::greater<float>());
  return magnitudes[k - 1];
}

void expect_every_k(const std::vector<float>& weights) {
  for (size_t k = 1; k <= weights.size(); k += std::max<size_t>(1, weights.size() / 37)) {
    EXPECT_EQ(kth_largest_magnitude(weights.data(), weights.size(), k), sorted_kth(weights, k))
        << "k " << k << " of " << weights.size();
  }
}

TEST(KthLargestMagnitude, IsWhatSortingGives) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.05f);
  std::uniform_int_distribution<int> few(-3, 3), exponent(-140, 120);
  for (const size_t n : {1, 2, 3, 4, 5, 7, 63, 64, 65, 1000, 4099}) {
    std::vector<float> spread(n), ties(n), wide(n);
    for (size_t i = 0; i < n; ++i) {
      spread[i] = normal(random);
      ties[i] = static_cast<float>(few(random));
      wide[i] = std::ldexp(normal(random), exponent(random));  // denormals too
    }
    expect_every_k(spread);
    expect_every_k(ties);
    expect_every_k(wide);
    expect_every_k(std::vector<float>(n, -0.0f));
    expect_every_k(std::vector<float>(n, -0.25f));
  }
}

TEST(KthLargestMagnitude, TakesInfinityForTheLargest) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> weights = {1, -infinity, std::numeric_limits<float>::max(), 0};
  EXPECT_EQ(kth_largest_magnitude(weights.data(), 4, 1), infinity);
  EXPECT_EQ(kth_largest_magnitude(weights.data(), 4, 2), std::numeric_limits<float>::max());
  EXPECT_EQ(kth_largest_magnitude(weights.data(), 4, 4), 0);
}

TEST(KthLargestMagnitude, IsNaNWhereAWeightIs) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t at = 0; at < 7; ++at) {
    std::vector<float> weights(7, 1);
    weights[at] = at % 2 == 0 ? nan : -nan;
    EXPECT_TRUE(std::isnan(kth_largest_magnitude(weights.data(), 7, 3))) << at;
  }
}

}  // namespace
}  // namespace espalier
