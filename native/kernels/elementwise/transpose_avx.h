// Transposes 8 x 8 floats with AVX instructions, for the AVX2 and AVX-512 files.
#ifndef ESPALIER_NATIVE_KERNELS_ELEMENTWISE_TRANSPOSE_AVX_H_
#define ESPALIER_NATIVE_KERNELS_ELEMENTWISE_TRANSPOSE_AVX_H_

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined lanes inside its own intrinsics for mistakes (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include "kernels/elementwise/kernels_vector.h"

namespace espalier {
namespace {

ESPALIER_INLINE void transpose8(const float* src, size_t ld_src, float* dst, size_t ld_dst) {
  // Row i beside row i + 4, so that all shuffles stay inside halves of a register.
  const auto pair = [&](size_t i, size_t column) __attribute__((always_inline)) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src + i * ld_src + column)),
                                _mm_loadu_ps(src + (i + 4) * ld_src + column), 1);
  };
  for (size_t half = 0; half < 8; half += 4) {
    const __m256 a = pair(0, half), b = pair(1, half), c = pair(2, half), d = pair(3, half);
    const __m256 ab_low = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b);
    const __m256 cd_low = _mm256_unpacklo_ps(c, d), cd_high = _mm256_unpackhi_ps(c, d);
    float* out = dst + half * ld_dst;
    _mm256_storeu_ps(out, _mm256_shuffle_ps(ab_low, cd_low, 0x44));
    _mm256_storeu_ps(out + ld_dst, _mm256_shuffle_ps(ab_low, cd_low, 0xee));
    _mm256_storeu_ps(out + 2 * ld_dst, _mm256_shuffle_ps(ab_high, cd_high, 0x44));
    _mm256_storeu_ps(out + 3 * ld_dst, _mm256_shuffle_ps(ab_high, cd_high, 0xee));
  }
}

void transpose(const float* src, size_t ld_src, float* dst, size_t ld_dst, size_t rows,
               size_t cols) {
  transpose_blocks<8>(src, ld_src, dst, ld_dst, rows, cols, transpose8);
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_ELEMENTWISE_TRANSPOSE_AVX_H_
