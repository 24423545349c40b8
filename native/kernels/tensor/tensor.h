// What sequences and normalisations need besides matrix products: statistics of runs, and products
// of two values that are both computed. One table an instruction set.
#ifndef ESPALIER_NATIVE_KERNELS_TENSOR_TENSOR_H_
#define ESPALIER_NATIVE_KERNELS_TENSOR_TENSOR_H_

#include <cstddef>

#include "cpu/features.h"

namespace espalier {

struct TensorKernels {
  // The sum of x[i], and that of the squares of x[i] - shift, i < n. Sixteen partial sums of
  // float32 over at most 4096 numbers, those in float64: the order does not depend on the
  // instruction set.
  double (*sum)(const float* x, size_t n);
  double (*squares)(const float* x, float shift, size_t n);
  // y[i] = (x[i] - shift) * factor + rest, i < n.
  void (*standardise)(const float* x, float shift, float factor, float rest, float* y, size_t n);
  // The same over 16 columns, each with its own shift and factor: sums[c] += x[f * stride + c] (or
  // the square of x - shift[c]) over f < rows.
  void (*column_sums)(const float* x, size_t stride, size_t rows, float* sums);
  void (*column_squares)(const float* x, size_t stride, size_t rows, const float* shift,
                         float* sums);
  void (*column_standardise)(const float* x, size_t stride, size_t rows, const float* shift,
                             const float* factor, const float* rest, float* y, size_t y_stride);
  // y[i * ldy + j] = sum over l of a[i * a_row + l * a_col] b[l * ldb + j]; i < m, j < n, l < k.
  // Rows of b have room for n rounded up to a multiple of 16.
  void (*product)(const float* a, size_t a_row, size_t a_col, const float* b, size_t ldb, float* y,
                  size_t ldy, size_t m, size_t n, size_t k);
  // y[c] = sum over l of a[l * a_step + c] b[l * b_step + c], c < 16.
  void (*column_product)(const float* a, size_t a_step, const float* b, size_t b_step, float* y,
                         size_t k);
};

// For an available instruction set.
const TensorKernels& tensor_kernels(Isa isa);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_TENSOR_TENSOR_H_
