// What Linear chooses and keeps: layouts by cost and by measuring, and values in fewer bits.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/linear/linear.h"
#include "test/linear_test_support.h"

namespace espalier::test {
namespace {

TEST(LinearChoice, DenseForDenseAndSparseForSparse) {
  for (Isa isa : available_isas()) {
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
  for (Isa isa : available_isas()) {
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
    for (Isa isa : available_isas()) {
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
  for (Isa isa : available_isas()) {
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
