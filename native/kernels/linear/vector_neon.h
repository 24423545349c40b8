// NEON of 64-bit Arm as vector.h wants it.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_NEON_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_NEON_H_

#include <arm_neon.h>

#include "kernels/linear/vector.h"

namespace espalier {
namespace {

struct Neon {
  using Vector = float32x4_t;
  static constexpr int kWidth = 4;
  ESPALIER_INLINE Vector load(const float* p) { return vld1q_f32(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { vst1q_f32(p, v); }
  ESPALIER_INLINE void store_first(float* p, Vector v, uint32_t n) {
    if (n >= 4) return vst1q_f32(p, v);
    if (n >= 1) vst1q_lane_f32(p, v, 0);
    if (n >= 2) vst1q_lane_f32(p + 1, v, 1);
    if (n >= 3) vst1q_lane_f32(p + 2, v, 2);
  }
  ESPALIER_INLINE Vector zero() { return vdupq_n_f32(0.0f); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return vld1q_dup_f32(p); }
  ESPALIER_INLINE Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
  ESPALIER_INLINE Vector load_four(const float* p) { return vld1q_f32(p); }
  // The compiler makes one instruction of this and the product that follows: fmla by lane.
  ESPALIER_INLINE Vector spread(Vector four, int i) {
    return i == 0   ? vdupq_laneq_f32(four, 0)
           : i == 1 ? vdupq_laneq_f32(four, 1)
           : i == 2 ? vdupq_laneq_f32(four, 2)
                    : vdupq_laneq_f32(four, 3);
  }
  ESPALIER_INLINE Vector load_bf16(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
  ESPALIER_INLINE Vector load_f16(const uint16_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
  }
  ESPALIER_INLINE Vector load_i8(const int8_t* p) {
    return Vector{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]),
                  static_cast<float>(p[3])};
  }
  ESPALIER_INLINE Vector diagonal(const Vector* v) {
    return Vector{v[0][0], v[1][1], v[2][2], v[3][3]};
  }
  // vmaxq and vminq return NaN where an operand is NaN.
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
    switch (epilogue.kind) {
      case ActivationKind::kRelu:
        return vmaxq_f32(v, vdupq_n_f32(0.0f));
      case ActivationKind::kRelu6:
        return vminq_f32(vmaxq_f32(v, vdupq_n_f32(0.0f)), vdupq_n_f32(6.0f));
      case ActivationKind::kLeakyRelu:
        return vbslq_f32(vcltq_f32(v, vdupq_n_f32(0.0f)), vmulq_n_f32(v, epilogue.alpha), v);
      default:
        return v;
    }
  }
  // v - v is 0 for finite values and NaN for the others.
  ESPALIER_INLINE uint32_t not_finite(Vector v) {
    const Vector zero = vsubq_f32(v, v);
    constexpr uint32_t kBits[4] = {1, 2, 4, 8};
    return vaddvq_u32(vbicq_u32(vld1q_u32(kBits), vceqq_f32(zero, zero)));
  }
};

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_NEON_H_
