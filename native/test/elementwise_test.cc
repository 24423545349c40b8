// Every elementwise kernel of every instruction set against plain float64, in guarded buffers.
#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "test/linear_test_support.h"

namespace espalier::test {
namespace {

std::vector<Isa> available() {
  std::vector<Isa> all;
  for (Isa isa : kIsas) {
    if (isa_available(isa)) all.push_back(isa);
  }
  return all;
}

class ElementwiseTest : public testing::TestWithParam<Isa> {
 protected:
  const ElementwiseKernels& kernels_ = elementwise_kernels(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Isas, ElementwiseTest, testing::ValuesIn(available()),
                         [](const auto& info) { return std::string(isa_name(info.param)); });

constexpr size_t kSizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 67, 131};

double exact(Activation activation, double x) {
  const double a = activation.alpha, b = activation.beta;
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  switch (activation.kind) {
    case ActivationKind::kLinear:
      return x;
    case ActivationKind::kRelu:
      return x < 0 ? 0 : x;
    case ActivationKind::kRelu6:
      return x < 0 ? 0 : x > 6 ? 6 : x;
    case ActivationKind::kLeakyRelu:
      return x < 0 ? a * x : x;
    case ActivationKind::kElu:
      return x < 0 ? a * std::expm1(x) : x;
    case ActivationKind::kSelu:
      return 1.05070098735548049342 * (x < 0 ? 1.67326324235437728481 * std::expm1(x) : x);
    case ActivationKind::kSigmoid:
      return sigmoid(x);
    case ActivationKind::kHardSigmoid: {
      const double y = a * x + b;
      return y < 0 ? 0 : y > 1 ? 1 : y;
    }
    case ActivationKind::kTanh:
      return std::tanh(x);
    case ActivationKind::kSoftplus:
      return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    case ActivationKind::kSoftsign:
      return x / (1 + std::fabs(x));
    case ActivationKind::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case ActivationKind::kGeluTanh:
      return x * sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
    case ActivationKind::kSwish:
      return x * sigmoid(x);
    case ActivationKind::kExponential:
      return std::exp(x);
    case ActivationKind::kMish:
      return x * std::tanh(x > 40 ? x : std::log1p(std::exp(x)));
    case ActivationKind::kHardSwish:
      return x * std::min(std::max(x + 3, 0.0), 6.0) / 6;
    case ActivationKind::kLogSigmoid:
      return -(x < 0 ? -x + std::log1p(std::exp(x)) : std::log1p(std::exp(-x)));
    case ActivationKind::kTanhShrink:
      return x - std::tanh(x);
    case ActivationKind::kSquareplus:
      // At -Inf what the formula gives, NaN: docs/numbers.md.
      return x < 0 && std::isfinite(x) ? 2 / (std::sqrt(x * x + 4) - x)
                                       : (x + std::sqrt(x * x + 4)) / 2;
    case ActivationKind::kHardShrink:
      return std::fabs(x) <= a ? 0 : x;
    case ActivationKind::kSoftShrink:
      return std::fabs(x) <= a ? 0 : x > 0 ? x - a : x < 0 ? x + a : x;
    case ActivationKind::kThreshold:
      return x < a ? b * (x - a) : x;
    case ActivationKind::kClip:
      return x < a ? a : x > b ? b : x;
    case ActivationKind::kClippedLeakyRelu:
      return x < 0 ? a * x : x > b ? b : x;
  }
  return kNan;
}

std::vector<Activation> activations() {
  std::vector<Activation> all;
  for (int kind = 0; kind < kActivationKinds; ++kind) {
    all.push_back({static_cast<ActivationKind>(kind), 0.0f, 0.0f});
  }
  for (Activation& activation : all) {
    if (activation.kind == ActivationKind::kLeakyRelu) activation.alpha = 0.3f;
    if (activation.kind == ActivationKind::kElu) activation.alpha = 1.5f;
    if (activation.kind == ActivationKind::kHardSigmoid) {
      activation.alpha = 0.2f;
      activation.beta = 0.5f;
    }
    if (activation.kind == ActivationKind::kHardShrink ||
        activation.kind == ActivationKind::kSoftShrink) {
      activation.alpha = 0.5f;
    }
    if (activation.kind == ActivationKind::kThreshold) {
      activation.alpha = 0.25f;
      activation.beta = 0.1f;
    }
    if (activation.kind == ActivationKind::kClip) {
      activation.alpha = -1.0f;
      activation.beta = 1.5f;
    }
    if (activation.kind == ActivationKind::kClippedLeakyRelu) {
      activation.alpha = 0.2f;
      activation.beta = 4.5f;
    }
  }
  return all;
}

void expect_close(float actual, double expected, double relative, const std::string& what) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << what << " is " << actual;
  } else if (std::fabs(expected) > std::numeric_limits<float>::max()) {
    EXPECT_EQ(actual, expected > 0 ? kInf : -kInf) << what;
  } else {
    EXPECT_NEAR(actual, expected, relative * std::fabs(expected) + 1e-37) << what;
  }
}

std::vector<float> interesting_floats() {
  std::vector<float> values = {0.0f,    -0.0f,  1e-45f, -1e-45f, 1e-38f,  -1e-38f, 1e-20f,
                               -1e-20f, 1e-4f,  -1e-4f, 1.0f,    -1.0f,   6.0f,    88.72f,
                               88.73f,  -87.3f, -87.4f, -103.9f, -104.1f, 1e10f,   -1e10f,
                               3e38f,   -3e38f, kInf,   -kInf,   kNan,    2.5f,    -2.5f};
  for (int i = -30000; i <= 30000; ++i) values.push_back(static_cast<float>(i) / 1000 + 1e-5f);
  for (float value : random_floats(20000, 5)) values.push_back(value * 3);
  return values;
}

TEST_P(ElementwiseTest, ActivationsMatchFloat64) {
  const std::vector<float> inputs = interesting_floats();
  for (const Activation& activation : activations()) {
    std::vector<float> data = inputs;
    kernels_.activate(activation, data.data(), data.size());
    double worst = 0;
    for (size_t i = 0; i < data.size(); ++i) {
      const double expected = exact(activation, inputs[i]);
      // float64's x^3 does not overflow where float32's does; where both do the limit is the same.
      if (std::isnan(expected) && std::isinf(inputs[i])) continue;
      // The tails of gelu and of products with exp: see functions.h.
      const bool tail = inputs[i] < -2.0f;
      const double relative = tail ? 2e-5 : 1e-6;
      if ((activation.kind == ActivationKind::kHardSigmoid ||
           (activation.kind == ActivationKind::kTanhShrink && std::fabs(inputs[i]) < 1)) &&
          std::isfinite(expected)) {
        EXPECT_NEAR(data[i], expected, 1.5e-7) << inputs[i];  // a difference
        continue;
      }
      if (tail && std::fabs(expected) < 2e-7) {
        EXPECT_NEAR(data[i], expected, 1e-8) << "kind " << int(activation.kind) << " " << inputs[i];
        continue;
      }
      expect_close(
          data[i], expected, relative,
          "kind " + std::to_string(int(activation.kind)) + " of " + std::to_string(inputs[i]));
      if (std::isfinite(data[i]) && std::isfinite(expected) && expected != 0) {
        worst = std::max(
            worst, std::min(std::fabs(data[i] - expected), std::fabs(data[i] / expected - 1)));
      }
    }
    EXPECT_LT(worst, 1e-6) << "kind " << int(activation.kind);
  }
}

TEST_P(ElementwiseTest, NanStaysNan) {
  for (const Activation& activation : activations()) {
    std::vector<float> data(37, kNan);
    kernels_.activate(activation, data.data(), data.size());
    for (float value : data) EXPECT_TRUE(std::isnan(value)) << int(activation.kind);
  }
}

TEST_P(ElementwiseTest, ActivationsTouchNothingElseAndDoNotDependOnThePlace) {
  for (const Activation& activation : activations()) {
    const std::vector<float> inputs = random_floats(140, 3);
    std::vector<float> whole = inputs;
    kernels_.activate(activation, whole.data(), whole.size());
    for (size_t n : kSizes) {
      GuardedFloats data(n);
      std::copy_n(inputs.begin(), n, data.data());
      kernels_.activate(activation, data.data(), n);
      for (size_t i = 0; i < n; ++i) ASSERT_EQ(data[i], whole[i]) << int(activation.kind);
    }
  }
}

TEST_P(ElementwiseTest, AffineScaleAndAccumulateMatch) {
  for (size_t n : kSizes) {
    GuardedFloats x(n), scale(n), offset(n), y(n), z(n), sum(n);
    const auto values = random_floats(4 * n, static_cast<uint32_t>(n));
    for (size_t i = 0; i < n; ++i) {
      x[i] = values[i];
      scale[i] = values[n + i];
      offset[i] = values[2 * n + i];
      sum[i] = values[3 * n + i];
    }
    kernels_.affine(x.data(), scale.data(), offset.data(), y.data(), n);
    kernels_.scale_offset(x.data(), 1.5f, -0.25f, z.data(), n);
    kernels_.accumulate(x.data(), sum.data(), n);
    for (size_t i = 0; i < n; ++i) {
      ASSERT_EQ(y[i], x[i] * scale[i] + offset[i]);
      ASSERT_EQ(z[i], x[i] * 1.5f - 0.25f);
      ASSERT_EQ(sum[i], values[3 * n + i] + x[i]);
    }
    kernels_.affine(x.data(), scale.data(), offset.data(), x.data(), n);
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(x[i], y[i]) << "in place";
  }
}

TEST_P(ElementwiseTest, SoftmaxMatchesFloat64) {
  uint32_t seed = 0;
  for (size_t group : kSizes) {
    for (size_t n : {1, 2, 5, 8, 16, 17, 31, 64}) {
      for (size_t ld : {n, (n + 15) / 16 * 16}) {
        GuardedFloats x((group - 1) * ld + n), y((group - 1) * ld + n);
        y.fill(123);
        const auto values = random_floats(x.size(), ++seed);
        for (size_t i = 0; i < x.size(); ++i) x[i] = 20 * values[i];
        kernels_.softmax(x.data(), ld, y.data(), ld, group, n);
        for (size_t c = 0; c < n; ++c) {
          double most = -kInf, sum = 0;
          for (size_t i = 0; i < group; ++i) most = std::max<double>(most, x[i * ld + c]);
          for (size_t i = 0; i < group; ++i) sum += std::exp(x[i * ld + c] - most);
          for (size_t i = 0; i < group; ++i) {
            const double expected = std::exp(x[i * ld + c] - most) / sum;
            // x - max is rounded at the size of x.
            ASSERT_NEAR(y[i * ld + c], expected, 1e-5 * expected + 1e-37) << group << " " << n;
          }
        }
        for (size_t i = 0; i + 1 < group; ++i) {
          for (size_t c = n; c < ld; ++c) ASSERT_EQ(y[i * ld + c], 123);
        }
      }
    }
  }
}

TEST_P(ElementwiseTest, SoftmaxOfLargeAndNotFiniteValues) {
  const auto run = [&](std::vector<float> x) {
    kernels_.softmax(x.data(), 1, x.data(), 1, x.size(), 1);
    return x;
  };
  const std::vector<float> large = run({1000, 1000, -1000});
  EXPECT_EQ(large, (std::vector<float>{0.5f, 0.5f, 0.0f}));
  EXPECT_EQ(run({-kInf, 0}), (std::vector<float>{0.0f, 1.0f}));
  for (float value : run({1, kNan, 2})) EXPECT_TRUE(std::isnan(value));
  for (float value : run({1, kInf, 2, 3, 4, 5, 6, 7, 8, 9})) EXPECT_FALSE(value > 0);
}

TEST_P(ElementwiseTest, TransposesMatch) {
  for (size_t rows : {1, 3, 4, 7, 8, 9, 16, 33, 64}) {
    for (size_t cols : {1, 2, 4, 5, 8, 15, 17, 64, 65}) {
      const size_t ld_src = cols + 3, ld_dst = rows + 5;
      GuardedFloats src((rows - 1) * ld_src + cols), dst((cols - 1) * ld_dst + rows);
      for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<float>(i);
      dst.fill(-1);
      kernels_.transpose(src.data(), ld_src, dst.data(), ld_dst, rows, cols);
      for (size_t c = 0; c < cols; ++c) {
        for (size_t r = 0; r < rows; ++r) ASSERT_EQ(dst[c * ld_dst + r], src[r * ld_src + c]);
        for (size_t r = rows; r < ld_dst && c + 1 < cols; ++r) ASSERT_EQ(dst[c * ld_dst + r], -1);
      }
    }
  }
}

// All of them compute the same bits, so a result does not depend on the machine's vectors.
TEST(Elementwise, InstructionSetsAgreeBitForBit) {
  const std::vector<float> inputs = interesting_floats();
  for (const Activation& activation : activations()) {
    std::vector<float> expected = inputs;
    elementwise_kernels(Isa::kPortable).activate(activation, expected.data(), expected.size());
    for (Isa isa : available()) {
      std::vector<float> actual = inputs;
      elementwise_kernels(isa).activate(activation, actual.data(), actual.size());
      for (size_t i = 0; i < actual.size(); ++i) {
        if (std::isnan(expected[i])) continue;
        ASSERT_EQ(actual[i], expected[i])
            << isa_name(isa) << " kind " << int(activation.kind) << " of " << inputs[i];
      }
    }
  }
}

}  // namespace
}  // namespace espalier::test
