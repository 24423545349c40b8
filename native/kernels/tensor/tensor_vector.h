// Tensor kernels (tensor.h) for any vector type (kernels/linear/vector.h).
#ifndef ESPALIER_NATIVE_KERNELS_TENSOR_TENSOR_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_TENSOR_TENSOR_VECTOR_H_

#include "kernels/linear/vector.h"
#include "kernels/tensor/tensor.h"

namespace espalier {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kStretch = 4096;

// Adds term(i) for i < n, by partial sums.
template <typename Term>
ESPALIER_INLINE double add_up(size_t n, const Term& term) {
  double total = 0;
  for (size_t begin = 0; begin < n; begin += kStretch) {
    const size_t end = n - begin < kStretch ? n : begin + kStretch;
    float sums[kLanes] = {};
    size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (size_t l = 0; l < kLanes; ++l) sums[l] += term(i + l);
    }
    for (size_t l = 0; i + l < end; ++l) sums[l] += term(i + l);
    double stretch = 0;
    for (float sum : sums) stretch += sum;
    total += stretch;
  }
  return total;
}

double sum(const float* x, size_t n) {
  return add_up(
      n, [x](size_t i) __attribute__((always_inline)) { return x[i]; });
}

double squares(const float* x, float shift, size_t n) {
  return add_up(
      n, [ x, shift ](size_t i) __attribute__((always_inline)) {
        const float d = x[i] - shift;
        return d * d;
      });
}

void standardise(const float* x, float shift, float factor, float rest, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = (x[i] - shift) * factor + rest;
}

void column_sums(const float* x, size_t stride, size_t rows, float* sums) {
  float own[kLanes];
  for (size_t c = 0; c < kLanes; ++c) own[c] = sums[c];
  for (size_t f = 0; f < rows; ++f) {
    for (size_t c = 0; c < kLanes; ++c) own[c] += x[f * stride + c];
  }
  for (size_t c = 0; c < kLanes; ++c) sums[c] = own[c];
}

void column_squares(const float* x, size_t stride, size_t rows, const float* shift, float* sums) {
  float own[kLanes];
  for (size_t c = 0; c < kLanes; ++c) own[c] = sums[c];
  for (size_t f = 0; f < rows; ++f) {
    for (size_t c = 0; c < kLanes; ++c) {
      const float d = x[f * stride + c] - shift[c];
      own[c] += d * d;
    }
  }
  for (size_t c = 0; c < kLanes; ++c) sums[c] = own[c];
}

void column_standardise(const float* x, size_t stride, size_t rows, const float* shift,
                        const float* factor, const float* rest, float* y, size_t y_stride) {
  for (size_t f = 0; f < rows; ++f) {
    for (size_t c = 0; c < kLanes; ++c) {
      y[f * y_stride + c] = (x[f * stride + c] - shift[c]) * factor[c] + rest[c];
    }
  }
}

// kRows rows of y at columns [j, j + 2 registers); `live` of them are stored.
template <typename V, int kRows>
ESPALIER_INLINE void product_tile(const float* a, size_t a_row, size_t a_col, const float* b,
                                  size_t ldb, float* y, size_t ldy, size_t live, size_t k) {
  typename V::Vector sums[kRows][2];
  ESPALIER_UNROLL for (int i = 0; i < kRows; ++i) sums[i][0] = sums[i][1] = V::zero();
  const bool both = live > V::kWidth;
  for (size_t l = 0; l < k; ++l) {
    const typename V::Vector b0 = V::load(b + l * ldb);
    const typename V::Vector b1 = both ? V::load(b + l * ldb + V::kWidth) : V::zero();
    ESPALIER_UNROLL for (int i = 0; i < kRows; ++i) {
      const typename V::Vector factor = V::broadcast(a + i * a_row + l * a_col);
      sums[i][0] = V::fma(factor, b0, sums[i][0]);
      sums[i][1] = V::fma(factor, b1, sums[i][1]);
    }
  }
  ESPALIER_UNROLL for (int i = 0; i < kRows; ++i) {
    float* row = y + i * ldy;
    const uint32_t first = static_cast<uint32_t>(live < V::kWidth ? live : V::kWidth);
    V::store_first(row, sums[i][0], first);
    if (both) {
      V::store_first(row + V::kWidth, sums[i][1], static_cast<uint32_t>(live - V::kWidth));
    }
  }
}

template <typename V>
void product(const float* a, size_t a_row, size_t a_col, const float* b, size_t ldb, float* y,
             size_t ldy, size_t m, size_t n, size_t k) {
  constexpr size_t kTile = 2 * V::kWidth;
  for (size_t j = 0; j < n; j += kTile) {
    const size_t live = n - j < kTile ? n - j : kTile;
    size_t i = 0;
    for (; i + 4 <= m; i += 4) {
      product_tile<V, 4>(a + i * a_row, a_row, a_col, b + j, ldb, y + i * ldy + j, ldy, live, k);
    }
    for (; i < m; ++i) {
      product_tile<V, 1>(a + i * a_row, a_row, a_col, b + j, ldb, y + i * ldy + j, ldy, live, k);
    }
  }
}

template <typename V>
void column_product(const float* a, size_t a_step, const float* b, size_t b_step, float* y,
                    size_t k) {
  constexpr int kVectors = 16 / V::kWidth;
  typename V::Vector sums[kVectors];
  ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) sums[v] = V::zero();
  for (size_t l = 0; l < k; ++l) {
    ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) {
      sums[v] = V::fma(V::load(a + l * a_step + v * V::kWidth),
                       V::load(b + l * b_step + v * V::kWidth), sums[v]);
    }
  }
  ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) V::store(y + v * V::kWidth, sums[v]);
}

template <typename V>
constexpr TensorKernels tensor_kernels_of() {
  return {sum,         squares,          standardise,
          column_sums, column_squares,   column_standardise,
          product<V>,  column_product<V>};
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_TENSOR_TENSOR_VECTOR_H_
