// AVX2 with FMA as vector.h wants it.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_AVX2_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_AVX2_H_

#include <immintrin.h>

#include "kernels/linear/vector.h"

namespace espalier {
namespace {

// Eight lanes that are all ones, then eight zeros: a load at 8 - n is the mask of the first n.
alignas(64) constexpr int32_t kLaneMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                0,  0,  0,  0,  0,  0,  0,  0};

ESPALIER_INLINE __m256i first_lanes(uint32_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMasks + (8 - (n < 8 ? n : 8))));
}

struct Ymm {
  using Vector = __m256;
  static constexpr int kWidth = 8;
  ESPALIER_INLINE Vector load(const float* p) { return _mm256_loadu_ps(p); }
  ESPALIER_INLINE void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  ESPALIER_INLINE void store_first(float* p, Vector v, uint32_t n) {
    _mm256_maskstore_ps(p, first_lanes(n), v);
  }
  ESPALIER_INLINE Vector zero() { return _mm256_setzero_ps(); }
  ESPALIER_INLINE Vector broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  ESPALIER_INLINE Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
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
  ESPALIER_INLINE Vector load_bf16(const uint16_t* p) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  ESPALIER_INLINE Vector load_f16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  ESPALIER_INLINE Vector load_i8(const int8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
  ESPALIER_INLINE Vector diagonal(const Vector* v) {
    const __m256 a = _mm256_blend_ps(v[0], v[1], 0x02), b = _mm256_blend_ps(v[2], v[3], 0x08);
    const __m256 c = _mm256_blend_ps(v[4], v[5], 0x20), d = _mm256_blend_ps(v[6], v[7], 0x80);
    return _mm256_blend_ps(_mm256_blend_ps(a, b, 0x0c), _mm256_blend_ps(c, d, 0xc0), 0xf0);
  }
  // max and min return their second operand where one is NaN.
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
    switch (epilogue.kind) {
      case ActivationKind::kRelu:
        return _mm256_max_ps(_mm256_setzero_ps(), v);
      case ActivationKind::kRelu6:
        return _mm256_min_ps(_mm256_set1_ps(6.0f), _mm256_max_ps(_mm256_setzero_ps(), v));
      case ActivationKind::kLeakyRelu:
        return _mm256_blendv_ps(v, _mm256_mul_ps(v, _mm256_set1_ps(epilogue.alpha)),
                                _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ));
      default:
        return v;
    }
  }
  // v - v is 0 for finite values and NaN for the others.
  ESPALIER_INLINE uint32_t not_finite(Vector v) {
    const __m256 zero = _mm256_sub_ps(v, v);
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(zero, zero, _CMP_UNORD_Q)));
  }
};

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_AVX2_H_
