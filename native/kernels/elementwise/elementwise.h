// Everything that is not a matrix product: activations, affine, softmax, add, transposes. One table
// an instruction set.
#ifndef ESPALIER_NATIVE_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
#define ESPALIER_NATIVE_KERNELS_ELEMENTWISE_ELEMENTWISE_H_

#include <cstddef>

#include "cpu/features.h"
#include "kernels/activation.h"

namespace espalier {

struct ElementwiseKernels {
  // data[i] = act(data[i]) for i < n, in place. Also used by Linear for activations that it does
  // not fuse.
  void (*activate)(Activation activation, float* data, size_t n);
  // y[i] = x[i] * scale + offset, i < n (one feature of a panel); x may be y.
  void (*scale_offset)(const float* x, float scale, float offset, float* y, size_t n);
  // y[i] = x[i] * scale[i] + offset[i], i < n (one sample); x may be y.
  void (*affine)(const float* x, const float* scale, const float* offset, float* y, size_t n);
  // y[i] += x[i].
  void (*accumulate)(const float* x, float* y, size_t n);
  // Softmax of `group` values that lie `stride` apart, for n neighbouring columns each (n = 1,
  // stride = 1: one sample).
  void (*softmax)(const float* x, size_t stride, float* y, size_t y_stride, size_t group, size_t n);
  // dst[c * ld_dst + r] = src[r * ld_src + c] for r < rows, c < cols.
  void (*transpose)(const float* src, size_t ld_src, float* dst, size_t ld_dst, size_t rows,
                    size_t cols);
};

// For an available instruction set.
const ElementwiseKernels& elementwise_kernels(Isa isa);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
