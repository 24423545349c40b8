// Pieces shared by the AVX-512 kernels. Included only by files compiled for AVX-512; everything
// here has internal linkage, so that no AVX-512 copy of a function can be linked into code for
// other machines.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_AVX512_COMMON_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_AVX512_COMMON_H_

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined lanes inside its own intrinsics for mistakes (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include "kernels/linear/kernels.h"

#define ESPALIER_INLINE static inline __attribute__((always_inline))
#define ESPALIER_UNROLL _Pragma("GCC unroll 16")

namespace espalier {
namespace {

// max and min return their second operand where one is NaN: NaN passes.
ESPALIER_INLINE __m512 apply(const Epilogue& epilogue, __m512 v) {
  switch (epilogue.kind) {
    case ActivationKind::kRelu:
      return _mm512_max_ps(_mm512_setzero_ps(), v);
    case ActivationKind::kRelu6:
      return _mm512_min_ps(_mm512_set1_ps(6.0f), _mm512_max_ps(_mm512_setzero_ps(), v));
    case ActivationKind::kLeakyRelu:
      return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v,
                                _mm512_set1_ps(epilogue.alpha));
    default:
      return v;
  }
}

// The lanes that hold NaN or Inf.
ESPALIER_INLINE __mmask16 not_finite(__m512 v) { return _mm512_fpclass_ps_mask(v, 0x99); }

// The lowest n lanes, n <= 16.
ESPALIER_INLINE __mmask16 first_lanes(uint32_t n) { return static_cast<__mmask16>((1u << n) - 1); }

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_AVX512_COMMON_H_
