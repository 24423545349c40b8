// AVX-512 as vector.h wants it: Zmm, and Ymm for panels of at most eight columns, which runs at
// twice the rate where 512-bit operations are split in two.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_AVX512_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_AVX512_H_

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined lanes inside its own intrinsics for mistakes (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include "kernels/linear/vector.h"

namespace espalier {
namespace {

// The lowest n lanes, n <= 16.
ESPALIER_INLINE __mmask16 first_lanes(uint32_t n) { return static_cast<__mmask16>((1u << n) - 1); }

// Quiet and signalling NaN, +Inf and -Inf.
constexpr int kNotFinite = 0x99;

struct Zmm {
  using Vector = __m512;
  static constexpr int kWidth = 16;
  ESPALIER_INLINE Vector load(const float* p) { return _mm512_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  ESPALIER_INLINE void store_first(float* p, Vector v, uint32_t n) {
    _mm512_mask_storeu_ps(p, first_lanes(n), v);
  }
  ESPALIER_INLINE Vector zero() { return _mm512_setzero_ps(); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm512_set1_ps(*p); }
  ESPALIER_INLINE Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  ESPALIER_INLINE Vector load_four(const float* p) {
    return _mm512_broadcast_f32x4(_mm_loadu_ps(p));
  }
  ESPALIER_INLINE Vector spread(Vector four, int i) {
    return i == 0   ? _mm512_permute_ps(four, 0x00)
           : i == 1 ? _mm512_permute_ps(four, 0x55)
           : i == 2 ? _mm512_permute_ps(four, 0xaa)
                    : _mm512_permute_ps(four, 0xff);
  }
  // max and min return their second operand where one is NaN.
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
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
  ESPALIER_INLINE uint32_t not_finite(Vector v) { return _mm512_fpclass_ps_mask(v, kNotFinite); }
};

struct Ymm {
  using Vector = __m256;
  static constexpr int kWidth = 8;
  ESPALIER_INLINE Vector load(const float* p) { return _mm256_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm256_set1_ps(*p); }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  ESPALIER_INLINE Vector load_four(const float* p) {
    return _mm256_broadcast_ps(reinterpret_cast<const __m128*>(p));
  }
  ESPALIER_INLINE Vector spread(Vector four, int i) {
    return i == 0   ? _mm256_permute_ps(four, 0x00)
           : i == 1 ? _mm256_permute_ps(four, 0x55)
           : i == 2 ? _mm256_permute_ps(four, 0xaa)
                    : _mm256_permute_ps(four, 0xff);
  }
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
    return _mm512_castps512_ps256(Zmm::activate(epilogue, _mm512_castps256_ps512(v)));
  }
  ESPALIER_INLINE uint32_t not_finite(Vector v) { return _mm256_fpclass_ps_mask(v, kNotFinite); }
};

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_AVX512_H_
