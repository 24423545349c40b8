// Every layout of every instruction set against a float64 oracle.
#include "kernels/linear/linear.h"

#include <gtest/gtest.h>

#include "test/linear_test_support.h"

namespace espalier::test {
namespace {

class LinearTest : public testing::TestWithParam<Variant> {};

std::string variant_name(const testing::TestParamInfo<Variant>& info) {
  const std::string layout = info.param.layout.empty() ? "chosen" : info.param.layout;
  return std::string(isa_name(info.param.isa)) + "_" + layout;
}

INSTANTIATE_TEST_SUITE_P(Variants, LinearTest, testing::ValuesIn(variants()), variant_name);

struct Shape {
  uint32_t rows, cols;
};
const Shape kShapes[] = {{1, 1},   {2, 1},   {1, 2},   {15, 17},   {16, 16}, {17, 15},
                         {31, 33}, {32, 32}, {33, 31}, {63, 65},   {64, 64}, {65, 63},
                         {5, 127}, {127, 5}, {97, 89}, {131, 257}, {3, 701}, {523, 67}};

TEST_P(LinearTest, SamplesMatchTheOracle) {
  uint32_t seed = 1;
  for (const Shape& shape : kShapes) {
    for (double sparsity : {0.0, 0.5, 0.9, 1.0}) {
      const Csr csr = random_csr(shape.rows, shape.cols, sparsity, ++seed);
      const auto bias = random_floats(shape.rows, ++seed);
      const auto linear = make_linear(csr, bias.data(), kRelu, GetParam());
      ASSERT_NE(linear, nullptr);
      for (int n = 1; n <= kSampleMajorMax; ++n) {
        const auto inputs = random_floats(static_cast<size_t>(n) * shape.cols, ++seed);
        ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, bias.data(), kRelu, n, 1, inputs))
            << shape.rows << "x" << shape.cols << " sparsity " << sparsity << " n " << n;
      }
    }
  }
}

TEST_P(LinearTest, PanelsMatchTheOracle) {
  uint32_t seed = 1000;
  for (const Shape& shape : kShapes) {
    for (double sparsity : {0.0, 0.5, 0.9, 1.0}) {
      const Csr csr = random_csr(shape.rows, shape.cols, sparsity, ++seed);
      const auto bias = random_floats(shape.rows, ++seed);
      const auto linear = make_linear(csr, bias.data(), kNoActivation, GetParam());
      for (int n : {5, 8, 16, 17, 33, 63, 64}) {
        const auto inputs = random_floats(static_cast<size_t>(n) * shape.cols, ++seed);
        ASSERT_NO_FATAL_FAILURE(
            run_panel(*linear, csr, bias.data(), kNoActivation, n, round_up_16(n), 1, inputs))
            << shape.rows << "x" << shape.cols << " sparsity " << sparsity << " n " << n;
      }
    }
  }
}

TEST_P(LinearTest, EveryNumberOfColumnsAndEveryStride) {
  const Csr csr = random_csr(37, 53, 0.6, 7);
  const auto linear = make_linear(csr, nullptr, kRelu, GetParam());
  for (int n = 1; n <= kPanelColumns; ++n) {
    const auto inputs = random_floats(static_cast<size_t>(n) * csr.cols, n);
    for (size_t ld : {round_up_16(n), size_t{64}, size_t{112}}) {
      ASSERT_NO_FATAL_FAILURE(run_panel(*linear, csr, nullptr, kRelu, n, ld, 1, inputs))
          << "n " << n << " ld " << ld;
    }
  }
}

TEST_P(LinearTest, LargeEnoughForEveryBlockOfALayout) {
  const Csr csr = random_csr(700, 1100, 0.8, 3);
  const auto bias = random_floats(csr.rows, 4);
  const auto linear = make_linear(csr, bias.data(), kRelu, GetParam());
  for (int n : {1, 2, 4}) {
    const auto inputs = random_floats(static_cast<size_t>(n) * csr.cols, n);
    ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, bias.data(), kRelu, n, 3, inputs));
  }
  for (int n : {8, 16, 32, 64}) {
    const auto inputs = random_floats(static_cast<size_t>(n) * csr.cols, n);
    ASSERT_NO_FATAL_FAILURE(
        run_panel(*linear, csr, bias.data(), kRelu, n, round_up_16(n), 3, inputs));
  }
}

// Wide enough that short permute-blocks leave non-zeros to a tail; a padding zero of it meets NaN.
TEST_P(LinearTest, WideRowsWithFewNonZeros) {
  for (double sparsity : {0.75, 0.9}) {
    const Csr csr = random_csr(67, 2053, sparsity, 21);
    const auto bias = random_floats(csr.rows, 22);
    const auto linear = make_linear(csr, bias.data(), kRelu, GetParam());
    for (int n = 1; n <= kSampleMajorMax; ++n) {
      auto inputs = random_floats(static_cast<size_t>(n) * csr.cols, 23);
      ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, bias.data(), kRelu, n, 2, inputs));
      for (size_t i = 3; i < inputs.size(); i += 1000) inputs[i] = i % 3 == 0 ? kNan : kInf;
      const auto plain = make_linear(csr, bias.data(), kNoActivation, GetParam());
      ASSERT_NO_FATAL_FAILURE(run_samples(*plain, csr, bias.data(), kNoActivation, n, 1, inputs));
    }
  }
}

TEST_P(LinearTest, EveryActivation) {
  const Csr csr = random_csr(45, 30, 0.5, 11);
  const auto bias = random_floats(csr.rows, 12);
  for (Activation activation :
       {kNoActivation, kRelu, Activation{ActivationKind::kRelu6, 0, 0},
        Activation{ActivationKind::kLeakyRelu, 0.3f, 0}, Activation{ActivationKind::kTanh, 0, 0}}) {
    const auto linear = make_linear(csr, bias.data(), activation, GetParam());
    const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 13);
    for (int n : {1, 3}) {
      ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, bias.data(), activation, n, 2, inputs));
    }
    for (int n : {7, 16, 40}) {
      ASSERT_NO_FATAL_FAILURE(
          run_panel(*linear, csr, bias.data(), activation, n, round_up_16(n), 2, inputs));
    }
  }
}

// Rows from empty to full, an empty and a full column.
Csr uneven_csr(uint32_t rows, uint32_t cols) {
  std::vector<float> dense(static_cast<size_t>(rows) * cols);
  for (uint32_t row = 0; row < rows; ++row) {
    const uint32_t count = row % 3 == 0 ? 0 : static_cast<uint32_t>(uint64_t{cols} * row / rows);
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t col = static_cast<uint32_t>((uint64_t{i} * 37 + row) % cols);
      if (col != 5) dense[static_cast<size_t>(row) * cols + col] = 0.25f + 0.01f * i;
    }
    if (row % 3 != 0) dense[static_cast<size_t>(row) * cols + 2] = -1.5f;
  }
  return csr_from_dense(dense.data(), rows, cols);
}

TEST_P(LinearTest, UnevenRows) {
  const Csr csr = uneven_csr(211, 199);
  const auto linear = make_linear(csr, nullptr, kNoActivation, GetParam());
  const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 21);
  for (int n : {1, 2, 4}) {
    ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, nullptr, kNoActivation, n, 1, inputs));
  }
  for (int n : {5, 16, 31, 64}) {
    ASSERT_NO_FATAL_FAILURE(
        run_panel(*linear, csr, nullptr, kNoActivation, n, round_up_16(n), 1, inputs));
  }
}

TEST_P(LinearTest, OneNonZero) {
  std::vector<float> dense(100 * 130);
  dense[57 * 130 + 129] = 2.0f;
  const Csr csr = csr_from_dense(dense.data(), 100, 130);
  const auto linear = make_linear(csr, nullptr, kNoActivation, GetParam());
  const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 22);
  ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, nullptr, kNoActivation, 1, 1, inputs));
  ASSERT_NO_FATAL_FAILURE(run_panel(*linear, csr, nullptr, kNoActivation, 20, 32, 1, inputs));
}

TEST_P(LinearTest, DenormalWeights) {
  Csr csr = uneven_csr(70, 90);
  for (float& weight : csr.values) weight = weight < 0 ? -1e-45f : 1e-45f;
  const auto linear = make_linear(csr, nullptr, kNoActivation, GetParam());
  std::vector<float> inputs(static_cast<size_t>(64) * csr.cols, 1e30f);
  ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, nullptr, kNoActivation, 1, 1, inputs));
  ASSERT_NO_FATAL_FAILURE(run_panel(*linear, csr, nullptr, kNoActivation, 20, 32, 1, inputs));
}

// A value that is not finite reaches exactly the outputs that have a weight for it.
TEST_P(LinearTest, NonFiniteInputsTouchOnlyTheirRows) {
  for (const Csr& csr : {random_csr(70, 90, 0.7, 31), uneven_csr(70, 90)}) {
    for (Activation activation : {kNoActivation, kRelu}) {
      const auto bias = random_floats(csr.rows, 32);
      const auto linear = make_linear(csr, bias.data(), activation, GetParam());
      for (float bad : {kNan, kInf, -kInf}) {
        for (uint32_t col : {0u, 2u, 5u, 63u, 64u, 89u}) {
          auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 33);
          inputs[col] = bad;  // of sample 0
          for (int n : {1, 3}) {
            ASSERT_NO_FATAL_FAILURE(
                run_samples(*linear, csr, bias.data(), activation, n, 1, inputs));
          }
          for (int n : {6, 16, 64}) {
            auto panel = random_floats(static_cast<size_t>(n) * csr.cols, 34);
            panel[static_cast<size_t>(col) * n + n / 2] = bad;
            ASSERT_NO_FATAL_FAILURE(
                run_panel(*linear, csr, bias.data(), activation, n, round_up_16(n), 1, panel));
          }
        }
      }
    }
  }
}

TEST_P(LinearTest, TheSameBitsForAnyNumberOfParts) {
  for (bool with_nan : {false, true}) {
    const Csr csr = random_csr(301, 150, 0.8, 41);
    const auto linear = make_linear(csr, nullptr, kRelu, GetParam());
    auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 42);
    if (with_nan) inputs[77] = kNan;
    for (int n : {1, 3, 6, 16, 40, 64}) {
      std::vector<float> whole, split;
      for (int parts : {1, 2, 3, 7, 50}) {
        std::vector<float>& result = parts == 1 ? whole : split;
        if (n <= kSampleMajorMax) {
          run_samples(*linear, csr, nullptr, kRelu, n, parts, inputs, &result);
        } else {
          run_panel(*linear, csr, nullptr, kRelu, n, round_up_16(n), parts, inputs, &result);
        }
        if (HasFatalFailure()) return;
        if (parts > 1) {
          ASSERT_EQ(std::memcmp(whole.data(), split.data(), whole.size() * sizeof(float)), 0)
              << "n " << n << " parts " << parts;
        }
      }
    }
  }
}

TEST_P(LinearTest, UnpreparedSizesRunOnWhatIsThere) {
  const Csr csr = random_csr(50, 40, 0.8, 61);
  const auto linear = make_linear(csr, nullptr, kRelu, GetParam());
  const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 62);
  ASSERT_TRUE(linear->prepare(3));
  ASSERT_TRUE(linear->prepare(32));
  GuardedFloats x(csr.cols * 64), y(csr.rows * 64);
  std::copy(inputs.begin(), inputs.end(), x.data());
  for (int n = 1; n <= kSampleMajorMax; ++n) {
    linear->run_samples(x.data(), 48, y.data(), 64, n, 0, 1);
    const Expected expected = oracle(csr, nullptr, kRelu, 49, x.data() + (n - 1) * 48, 1);
    ASSERT_NO_FATAL_FAILURE(check(y[(n - 1) * 64 + 49], expected, "samples", 49, n));
  }
  for (int n = 1; n <= kPanelColumns; ++n) {
    linear->run_panel(x.data(), 64, y.data(), 64, n, 0, 1);
    const Expected expected = oracle(csr, nullptr, kRelu, 49, x.data() + n - 1, 64);
    ASSERT_NO_FATAL_FAILURE(check(y[49 * 64 + n - 1], expected, "panel", 49, n));
  }
}

TEST_P(LinearTest, InfoTellsTheLayout) {
  const Csr csr = random_csr(64, 64, 0.9, 51);
  const auto linear = make_linear(csr, nullptr, kNoActivation, GetParam());
  for (int n : {1, 4, 16, 64}) {
    ASSERT_TRUE(linear->prepare(n));
    const LinearInfo info = linear->info(n);
    EXPECT_FALSE(info.layout.empty());
    EXPECT_FALSE(info.reason.empty());
    EXPECT_GE(linear->parts(n, 8), 1);
    EXPECT_LE(linear->parts(n, 8), 8);
  }
  EXPECT_GE(linear->bytes(), csr.values.size() * 8);
}

TEST_P(LinearTest, EveryNumberOfColumnsAndSamples) {
  const Csr csr = random_csr(67, 131, 0.85, 71);
  const auto bias = random_floats(csr.rows, 72);
  const auto linear = make_linear(csr, bias.data(), kRelu, GetParam());
  const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 73);
  for (int n = 1; n <= kPanelColumns; ++n) {
    if (n <= kSampleMajorMax) {
      ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, bias.data(), kRelu, n, 2, inputs));
    } else {
      ASSERT_NO_FATAL_FAILURE(
          run_panel(*linear, csr, bias.data(), kRelu, n, round_up_16(n), 2, inputs));
    }
  }
}

// Against the oracle of the rounded weights; the rounding itself is within what its header tells.
}  // namespace
}  // namespace espalier::test
