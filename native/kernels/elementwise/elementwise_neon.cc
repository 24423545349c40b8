#define ESPALIER_WIDTH 4
#include <arm_neon.h>

#include "kernels/elementwise/kernels_vector.h"

namespace espalier {
namespace {

ESPALIER_INLINE void transpose4(const float* src, size_t ld_src, float* dst, size_t ld_dst) {
  const float32x4_t a = vld1q_f32(src), b = vld1q_f32(src + ld_src);
  const float32x4_t c = vld1q_f32(src + 2 * ld_src), d = vld1q_f32(src + 3 * ld_src);
  const float32x4_t ab_even = vtrn1q_f32(a, b), ab_odd = vtrn2q_f32(a, b);
  const float32x4_t cd_even = vtrn1q_f32(c, d), cd_odd = vtrn2q_f32(c, d);
  vst1q_f32(dst, vcombine_f32(vget_low_f32(ab_even), vget_low_f32(cd_even)));
  vst1q_f32(dst + ld_dst, vcombine_f32(vget_low_f32(ab_odd), vget_low_f32(cd_odd)));
  vst1q_f32(dst + 2 * ld_dst, vcombine_f32(vget_high_f32(ab_even), vget_high_f32(cd_even)));
  vst1q_f32(dst + 3 * ld_dst, vcombine_f32(vget_high_f32(ab_odd), vget_high_f32(cd_odd)));
}

void transpose(const float* src, size_t ld_src, float* dst, size_t ld_dst, size_t rows,
               size_t cols) {
  transpose_blocks<4>(src, ld_src, dst, ld_dst, rows, cols, transpose4);
}

}  // namespace

extern const ElementwiseKernels kElementwiseNeon = {activate,   scale_offset, affine,
                                                    accumulate, softmax,      transpose};

}  // namespace espalier
