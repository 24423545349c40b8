// What the tests of Linear share: guarded buffers, random matrices, a float64 oracle.
#ifndef ESPALIER_NATIVE_TEST_LINEAR_TEST_SUPPORT_H_
#define ESPALIER_NATIVE_TEST_LINEAR_TEST_SUPPORT_H_

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/linear/linear.h"
#include "sparse/csr.h"

namespace espalier::test {

// Floats that end right before a page which faults when touched (and begin right after one, if they
// fill pages).
class GuardedFloats {
 public:
  explicit GuardedFloats(size_t length) : length_(length) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t body = (length * sizeof(float) + page - 1) / page * page;
    mapped_ = body + 2 * page;
    base_ = static_cast<char*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_, page, PROT_NONE);
    mprotect(base_ + page + body, page, PROT_NONE);
    data_ = reinterpret_cast<float*>(base_ + page + body - length * sizeof(float));
  }
  ~GuardedFloats() { munmap(base_, mapped_); }
  GuardedFloats(const GuardedFloats&) = delete;
  GuardedFloats& operator=(const GuardedFloats&) = delete;

  float* data() { return data_; }
  const float* data() const { return data_; }
  size_t size() const { return length_; }
  float& operator[](size_t i) { return data_[i]; }
  const float& operator[](size_t i) const { return data_[i]; }
  void fill(float value) {
    for (size_t i = 0; i < length_; ++i) data_[i] = value;
  }

 private:
  char* base_;
  float* data_;
  size_t mapped_;
  size_t length_;
};

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

// A random matrix of which `sparsity` is zero, each place on its own.
inline Csr random_csr(uint32_t rows, uint32_t cols, double sparsity, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::normal_distribution<float> normal;
  std::vector<float> dense(static_cast<size_t>(rows) * cols);
  for (float& weight : dense) {
    const float value = normal(random);
    if (uniform(random) >= sparsity) weight = value;
  }
  return csr_from_dense(dense.data(), rows, cols);
}

inline std::vector<float> random_floats(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// act(sum + bias) in float64 and how far a float32 result may lie from it.
struct Expected {
  double value;
  double tolerance;
};

// x[col * step] are the inputs.
inline Expected oracle(const Csr& csr, const float* bias, Activation activation, uint32_t row,
                       const float* x, size_t step) {
  double sum = bias == nullptr ? 0 : bias[row];
  double magnitude = std::fabs(sum);
  for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
    const double product = static_cast<double>(csr.values[i]) * x[csr.col_idx[i] * step];
    sum += product;
    magnitude += std::fabs(product);
  }
  // The error of any order of summation of n terms is at most n half-ulps of the sum of their
  // magnitudes.
  const double terms = csr.row_ptr[row + 1] - csr.row_ptr[row] + 4;
  const double tolerance = terms * magnitude * 0x1p-24 + 1e-30;
  switch (activation.kind) {
    case ActivationKind::kRelu:
      return {sum < 0 ? 0 : sum, tolerance};
    case ActivationKind::kRelu6:
      return {sum < 0 ? 0 : sum > 6 ? 6 : sum, tolerance};
    case ActivationKind::kLeakyRelu:
      return {sum < 0 ? activation.alpha * sum : sum, tolerance};
    case ActivationKind::kTanh:
      return {std::tanh(sum), tolerance + 1e-6};
    default:
      return {sum, tolerance};
  }
}

// Every instruction set of this machine with every layout compiled for it.
struct Variant {
  Isa isa;
  std::string layout;
};
inline std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (Isa isa : available_isas()) {
    for (const std::string& layout : linear_layouts(isa)) all.push_back({isa, layout});
    all.push_back({isa, ""});
  }
  return all;
}

inline std::unique_ptr<Linear> make_linear(const Csr& csr, const float* bias, Activation activation,
                                           const Variant& variant) {
  LinearOptions options;
  options.isa = variant.isa;
  options.layout = variant.layout;
  return Linear::make(csr.view(), bias, activation, options);
}

inline constexpr Activation kNoActivation{};
inline constexpr Activation kRelu{ActivationKind::kRelu, 0, 0};
inline constexpr float kUntouched = 12345.0f;

inline size_t round_up_16(size_t n) { return (n + 15) / 16 * 16; }

inline void check(float actual, const Expected& expected, const char* what, uint32_t row,
                  int column) {
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
inline void run_samples(Linear& linear, const Csr& csr, const float* bias, Activation activation,
                        int n, int parts, const std::vector<float>& inputs,
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
inline void run_panel(Linear& linear, const Csr& csr, const float* bias, Activation activation,
                      int n, size_t ld, int parts, const std::vector<float>& inputs,
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

}  // namespace espalier::test

#endif  // ESPALIER_NATIVE_TEST_LINEAR_TEST_SUPPORT_H_
