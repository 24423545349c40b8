#define ESPALIER_WIDTH 4
#include "kernels/elementwise/kernels_vector.h"

namespace espalier {
namespace {

ESPALIER_INLINE void transpose4(const float* src, size_t ld_src, float* dst, size_t ld_dst) {
  for (size_t r = 0; r < 4; ++r) {
    for (size_t c = 0; c < 4; ++c) dst[c * ld_dst + r] = src[r * ld_src + c];
  }
}

void transpose(const float* src, size_t ld_src, float* dst, size_t ld_dst, size_t rows,
               size_t cols) {
  transpose_blocks<4>(src, ld_src, dst, ld_dst, rows, cols, transpose4);
}

}  // namespace

extern const ElementwiseKernels kElementwisePortable = {activate,   scale_offset, affine,
                                                        accumulate, softmax,      transpose};

}  // namespace espalier
