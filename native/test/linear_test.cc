// Every layout of every instruction set against a float64 oracle.
#include "kernels/linear/linear.h"

#include <gtest/gtest.h>

#include "linear_test_support.h"

namespace espalier::test {
namespace {

class LinearTest : public testing::TestWithParam<Variant> {};

std::string variant_name(const testing::TestParamInfo<Variant>& info) {
  const std::string layout = info.param.layout.empty() ? "chosen" : info.param.layout;
  return std::string(isa_name(info.param.isa)) + "_" + layout;
}

INSTANTIATE_TEST_SUITE_P(Variants, LinearTest, testing::ValuesIn(variants()), variant_name);

constexpr Activation kNoActivation{};
constexpr Activation kRelu{ActivationKind::kRelu, 0, 0};
constexpr float kUntouched = 12345.0f;

size_t round_up_16(size_t n) { return (n + 15) / 16 * 16; }

void check(float actual, const Expected& expected, const char* what, uint32_t row, int column) {
  if (std::isnan(expected.value)) {
    ASSERT_TRUE(std::isnan(actual)) << what << " row " << row << " column " << column;
  } else if (std::isinf(expected.value)) {
    ASSERT_EQ(actual, static_cast<float>(expected.value))
        << what << " row " << row << " column " << column;
  } else {
    ASSERT_NEAR(actual, expected.value, expected.tolerance)
        << what << " row " << row << " column " << column;
  }
}

// Runs `n` samples (n <= 4) in `parts` parts in guarded buffers and checks all of them.
void run_samples(Linear& linear, const Csr& csr, const float* bias, Activation activation, int n,
                 int parts, const std::vector<float>& inputs,
                 std::vector<float>* result = nullptr) {
  const size_t x_stride = n == 1 ? csr.cols : round_up_16(csr.cols);
  const size_t y_stride = n == 1 ? csr.rows : round_up_16(csr.rows);
  // The last sample ends at its last feature, where the guard begins.
  GuardedFloats x((n - 1) * x_stride + csr.cols), y((n - 1) * y_stride + csr.rows);
  x.fill(kNan);
  for (int s = 0; s < n; ++s) {
    std::copy_n(&inputs[static_cast<size_t>(s) * csr.cols], csr.cols, x.data() + s * x_stride);
  }
  y.fill(kUntouched);
  ASSERT_TRUE(linear.prepare(n));
  for (int part = 0; part < parts; ++part) {
    linear.run_samples(x.data(), x_stride, y.data(), y_stride, n, part, parts);
  }
  for (int s = 0; s < n; ++s) {
    for (uint32_t row = 0; row < csr.rows; ++row) {
      const Expected expected = oracle(csr, bias, activation, row, x.data() + s * x_stride, 1);
      ASSERT_NO_FATAL_FAILURE(
          check(y[s * y_stride + row], expected, linear.info(n).kernel.c_str(), row, s));
    }
    for (size_t i = csr.rows; i < y_stride && s + 1 < n; ++i) {
      ASSERT_EQ(y[s * y_stride + i], kUntouched);
    }
  }
  if (result != nullptr) result->assign(y.data(), y.data() + y.size());
}

// The same for a panel of n columns.
void run_panel(Linear& linear, const Csr& csr, const float* bias, Activation activation, int n,
               size_t ld, int parts, const std::vector<float>& inputs,
               std::vector<float>* result = nullptr) {
  GuardedFloats x(csr.cols * ld), y(csr.rows * ld);
  // What lies between the columns must not matter.
  x.fill(kNan);
  for (uint32_t col = 0; col < csr.cols; ++col) {
    std::copy_n(&inputs[static_cast<size_t>(col) * n], n, x.data() + col * ld);
  }
  y.fill(kUntouched);
  ASSERT_TRUE(linear.prepare(std::max(n, kSampleMajorMax + 1)));
  for (int part = 0; part < parts; ++part) {
    linear.run_panel(x.data(), ld, y.data(), ld, n, part, parts);
  }
  for (uint32_t row = 0; row < csr.rows; ++row) {
    for (int c = 0; c < n; ++c) {
      const Expected expected = oracle(csr, bias, activation, row, x.data() + c, ld);
      ASSERT_NO_FATAL_FAILURE(
          check(y[row * ld + c], expected, linear.info(n).kernel.c_str(), row, c));
    }
    for (size_t c = round_up_16(n); c < ld; ++c) ASSERT_EQ(y[row * ld + c], kUntouched);
  }
  if (result != nullptr) {
    result->clear();
    for (uint32_t row = 0; row < csr.rows; ++row) {
      result->insert(result->end(), y.data() + row * ld, y.data() + row * ld + n);
    }
  }
}

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

TEST(LinearChoice, DenseForDenseAndSparseForSparse) {
  for (Isa isa : {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    if (!isa_available(isa)) continue;
    for (int n : {1, 4, 8, 64}) {
      const auto dense = make_linear(random_csr(256, 256, 0.0, 1), nullptr, {}, {isa, ""});
      ASSERT_TRUE(dense->prepare(n));
      EXPECT_EQ(dense->info(n).layout, "dense") << isa_name(isa) << " " << n;
      const auto sparse = make_linear(random_csr(256, 256, 0.97, 1), nullptr, {}, {isa, ""});
      ASSERT_TRUE(sparse->prepare(n));
      EXPECT_NE(sparse->info(n).layout, "dense") << isa_name(isa) << " " << n;
      EXPECT_LT(sparse->info(n).predicted_ns, sparse->info(n).dense_ns);
    }
  }
}

// Few non-zeros in a matrix that would be enormous: no layout may take memory or time for the rest.
TEST(LinearChoice, AMatrixWithoutZerosIsHeldOnce) {
  const Csr csr = random_csr(50, 40, 0.0, 71);
  const auto linear = make_linear(csr, nullptr, kRelu, {Isa::kPortable, "dense"});
  const size_t before = linear->bytes();
  // Each size that is prepared takes the matrix back from the tiles of the one before.
  for (int n : {1, 64, 3, 16, 1}) {
    const auto inputs = random_floats(static_cast<size_t>(n) * csr.cols, 72 + n);
    if (n <= kSampleMajorMax) {
      ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, nullptr, kRelu, n, 1, inputs));
    } else {
      ASSERT_NO_FATAL_FAILURE(run_panel(*linear, csr, nullptr, kRelu, n, 64, 1, inputs));
    }
    EXPECT_LT(linear->bytes(), before);
    EXPECT_EQ(linear->nnz(), csr.values.size());
  }
}

TEST(LinearChoice, AlmostEmptyMatricesStaySmall) {
  Csr csr;
  csr.rows = 1u << 16;
  csr.cols = 1u << 20;
  csr.row_ptr.assign(csr.rows + 1, 3);
  csr.row_ptr[0] = 0;
  csr.col_idx = {1, 70000, (1 << 20) - 1};
  csr.values = {1, 2, 3};
  const std::vector<float> x(csr.cols, 0.5f);
  std::vector<float> y(csr.rows, kUntouched);
  for (Isa isa : {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    if (!isa_available(isa)) continue;
    const auto linear = make_linear(csr, nullptr, {}, {isa, ""});
    ASSERT_TRUE(linear->prepare(1));
    ASSERT_TRUE(linear->prepare(16));
    linear->run_samples(x.data(), csr.cols, y.data(), csr.rows, 1, 0, 1);
    EXPECT_EQ(y[0], 3.0f);
    EXPECT_EQ(y[csr.rows - 1], 0.0f);
    EXPECT_LT(linear->bytes(), size_t{16} << 20);
  }
}

// Nothing falls off a cliff or over the end of a buffer between the sizes that kernels are made
// for.
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
TEST(LinearValues, FewerBitsWithFloat32Sums) {
  const Csr csr = random_csr(203, 310, 0.7, 81);
  const auto bias = random_floats(csr.rows, 82);
  const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 83);
  for (ValueFormat format : {ValueFormat::kBfloat16, ValueFormat::kFloat16, ValueFormat::kInt8}) {
    Csr rounded = csr;
    round_values(rounded, format);
    EXPECT_EQ(exact_format(rounded.view()), format);
    Csr again = rounded;
    round_values(again, format);
    EXPECT_EQ(again.values, rounded.values);
    ASSERT_LE(rounded.values.size(), csr.values.size());
    for (uint32_t row = 0; row < csr.rows; ++row) {
      const int32_t begin = csr.row_ptr[row], end = csr.row_ptr[row + 1];
      const float scale = int8_scale(csr.values.data() + begin, static_cast<size_t>(end - begin));
      for (int32_t i = begin, at = rounded.row_ptr[row]; i < end; ++i) {
        const bool kept = at < rounded.row_ptr[row + 1] && rounded.col_idx[at] == csr.col_idx[i];
        const float stored = kept ? rounded.values[at++] : 0.0f;
        const float bound = format == ValueFormat::kInt8 ? 0.5001f * scale
                            : format == ValueFormat::kFloat16
                                ? std::fmax(std::fabs(csr.values[i]) / 2048.0f, 0x1p-25f)
                                : std::fabs(csr.values[i]) / 256.0f;
        ASSERT_LE(std::fabs(stored - csr.values[i]), bound);
      }
    }
    for (Isa isa : {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
      if (!isa_available(isa)) continue;
      for (bool cold : {false, true}) {
        LinearOptions options;
        options.isa = isa;
        options.values = format;
        options.cold = cold;
        const auto linear = Linear::make(csr.view(), bias.data(), kRelu, options);
        for (int parts : {1, 3}) {
          ASSERT_NO_FATAL_FAILURE(
              run_samples(*linear, rounded, bias.data(), kRelu, 1, parts, inputs));
          ASSERT_NO_FATAL_FAILURE(
              run_panel(*linear, rounded, bias.data(), kRelu, 20, 32, parts, inputs));
        }
        if (cold && isa == Isa::kAvx2) {
          EXPECT_STREQ(linear->info(1).values, kValueFormatNames[static_cast<int>(format)]);
        }
      }
    }
  }
}

TEST(LinearValues, EveryFloat16AndItsNeighbours) {
  for (uint32_t half = 0; half < 0x7c00; ++half) {
    const float value = from_float16(static_cast<uint16_t>(half));
    ASSERT_EQ(to_float16(value), half);
    ASSERT_EQ(to_float16(-value), half | 0x8000u);
    if (half == 0x7bff) break;
    const float next = from_float16(static_cast<uint16_t>(half + 1));
    const float middle = value + (next - value) / 2;
    ASSERT_EQ(to_float16(middle), half + (half & 1)) << value;
    ASSERT_EQ(to_float16(std::nextafter(middle, 0.0f)), half);
    ASSERT_EQ(to_float16(std::nextafter(middle, 1e9f)), half + 1);
  }
  EXPECT_EQ(to_float16(1e9f), 0x7bff);
  EXPECT_EQ(to_float16(-65519.0f), 0xfbff);
  EXPECT_EQ(to_bfloat16(3.4e38f), 0x7f7f);
}

TEST(LinearTune, MeasuresAndStaysRight) {
  const Csr csr = random_csr(97, 130, 0.8, 91);
  const auto inputs = random_floats(static_cast<size_t>(64) * csr.cols, 92);
  for (Isa isa : {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    if (!isa_available(isa)) continue;
    LinearOptions options;
    options.isa = isa;
    options.tune = true;
    const auto linear = Linear::make(csr.view(), nullptr, kRelu, options);
    for (int n : {1, 3}) {
      ASSERT_NO_FATAL_FAILURE(run_samples(*linear, csr, nullptr, kRelu, n, 1, inputs));
    }
    ASSERT_NO_FATAL_FAILURE(run_panel(*linear, csr, nullptr, kRelu, 30, 32, 1, inputs));
    for (int n : {1, 3, 30}) {
      EXPECT_GT(linear->info(n).measured_ns, 0);
      EXPECT_EQ(linear->info(n).reason, "measured at load");
    }
  }
}

TEST(LinearMake, RefusesAnUnknownLayout) {
  const Csr csr = random_csr(4, 4, 0.5, 1);
  LinearOptions options;
  options.layout = "no such layout";
  EXPECT_EQ(Linear::make(csr.view(), nullptr, {}, options), nullptr);
}

}  // namespace
}  // namespace espalier::test
