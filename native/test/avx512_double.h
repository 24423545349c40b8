// A double of the AVX-512 intrinsics that native/kernels uses, lane by lane, so that the kernels of
// that instruction set run where there is none: ESPALIER_EMULATE_AVX512 of CMakeLists.txt includes
// this before each of them, compiled for AVX2.
//
// It is stricter than the processor: lanes that an intrinsic leaves undefined are NaN, so that a
// kernel which lets one through gives NaN, and an aligned store to an address that is not aligned
// traps. A masked load or store touches the memory of its lanes and no more, which guard pages see.
// An intrinsic that is missing here does not compile. avx512_double_test.cc holds all of it to the
// instructions themselves where the machine has them.
//
// What it cannot tell: what a compiler makes of the intrinsics, the line of assembly in
// permute_block_avx512.cc, and speed.
#ifndef ESPALIER_NATIVE_TEST_AVX512_DOUBLE_H_
#define ESPALIER_NATIVE_TEST_AVX512_DOUBLE_H_

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// Without UBSan: GCC 12 loses the index of a vector's lane where it checks its bounds.
#define ESPALIER_DOUBLE \
  static inline __attribute__((always_inline, unused, no_sanitize("undefined")))

namespace espalier {
namespace avx512_double {

typedef int32_t Ints __attribute__((vector_size(64)));

ESPALIER_DOUBLE bool has(uint32_t mask, int lane) { return (mask >> lane & 1) != 0; }
ESPALIER_DOUBLE float undefined() { return __builtin_nanf(""); }

ESPALIER_DOUBLE Ints ints(__m512i v) {
  Ints lanes;
  std::memcpy(&lanes, &v, sizeof(lanes));
  return lanes;
}
ESPALIER_DOUBLE __m512i packed(Ints lanes) {
  __m512i v;
  std::memcpy(&v, &lanes, sizeof(v));
  return v;
}

// ---- Memory ----

ESPALIER_DOUBLE __m512 loadu_ps(const void* p) {
  __m512 v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
ESPALIER_DOUBLE __m512i loadu_si512(const void* p) {
  __m512i v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
ESPALIER_DOUBLE __m512 maskz_loadu_ps(__mmask16 mask, const void* p) {
  __m512 v;
  for (int i = 0; i < 16; ++i) {
    float lane = 0;
    if (has(mask, i)) std::memcpy(&lane, static_cast<const float*>(p) + i, sizeof(lane));
    v[i] = lane;
  }
  return v;
}
ESPALIER_DOUBLE void storeu_ps(void* p, __m512 v) { std::memcpy(p, &v, sizeof(v)); }
ESPALIER_DOUBLE void store_ps(void* p, __m512 v) {
  if (reinterpret_cast<uintptr_t>(p) % sizeof(v) != 0) __builtin_trap();
  std::memcpy(p, &v, sizeof(v));
}
ESPALIER_DOUBLE void mask_storeu_ps(void* p, __mmask16 mask, __m512 v) {
  for (int i = 0; i < 16; ++i) {
    const float lane = v[i];
    if (has(mask, i)) std::memcpy(static_cast<float*>(p) + i, &lane, sizeof(lane));
  }
}

// ---- The same in all lanes ----

ESPALIER_DOUBLE __m512 setzero_ps() { return __m512{}; }
ESPALIER_DOUBLE __m512i setzero_si512() { return __m512i{}; }
ESPALIER_DOUBLE __m512 set1_ps(float lane) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = lane;
  return v;
}
ESPALIER_DOUBLE __m512i set1_epi32(int32_t lane) {
  Ints v;
  for (int i = 0; i < 16; ++i) v[i] = lane;
  return packed(v);
}
ESPALIER_DOUBLE __m512 broadcast_f32x4(__m128 four) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = four[i % 4];
  return v;
}

// ---- Arithmetic ----

ESPALIER_DOUBLE __m512 add_ps(__m512 a, __m512 b) { return a + b; }
ESPALIER_DOUBLE __m512 fmadd_ps(__m512 a, __m512 b, __m512 c) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return v;
}
// Where either is NaN, and of zeros of either sign, the second.
ESPALIER_DOUBLE __m512 max_ps(__m512 a, __m512 b) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = a[i] > b[i] ? a[i] : b[i];
  return v;
}
ESPALIER_DOUBLE __m512 min_ps(__m512 a, __m512 b) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = a[i] < b[i] ? a[i] : b[i];
  return v;
}
ESPALIER_DOUBLE __m512 mask_mul_ps(__m512 otherwise, __mmask16 mask, __m512 a, __m512 b) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = has(mask, i) ? a[i] * b[i] : otherwise[i];
  return v;
}

// ---- Masks ----

template <int kPredicate>
ESPALIER_DOUBLE __mmask16 cmp_ps_mask(__m512 a, __m512 b) {
  static_assert(kPredicate == _CMP_LT_OQ, "no kernel compares in another way");
  uint32_t mask = 0;
  for (int i = 0; i < 16; ++i) mask |= (a[i] < b[i] ? 1u : 0u) << i;
  return static_cast<__mmask16>(mask);
}
ESPALIER_DOUBLE __mmask16 test_epi32_mask(__m512i a, __m512i b) {
  const Ints both = ints(a) & ints(b);
  uint32_t mask = 0;
  for (int i = 0; i < 16; ++i) mask |= (both[i] != 0 ? 1u : 0u) << i;
  return static_cast<__mmask16>(mask);
}
ESPALIER_DOUBLE __mmask16 movepi8_mask(__m128i bytes) {
  return static_cast<__mmask16>(_mm_movemask_epi8(bytes));
}
// The classes of a float, by the bits of the immediate.
ESPALIER_DOUBLE uint32_t classes(float lane) {
  uint32_t bits;
  std::memcpy(&bits, &lane, sizeof(bits));
  const uint32_t exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
  const bool negative = bits >> 31 != 0;
  if (exponent == 0xff && fraction != 0) return (fraction & 0x400000) != 0 ? 0x01 : 0x80;
  if (exponent == 0xff) return negative ? 0x10 : 0x08;
  if (exponent == 0 && fraction == 0) return negative ? 0x04 : 0x02;
  return (exponent == 0 ? 0x20 : 0) | (negative ? 0x40 : 0);
}
template <int kClasses>
ESPALIER_DOUBLE __mmask16 fpclass_ps_mask(__m512 v) {
  uint32_t mask = 0;
  for (int i = 0; i < 16; ++i) mask |= ((classes(v[i]) & kClasses) != 0 ? 1u : 0u) << i;
  return static_cast<__mmask16>(mask);
}
template <int kClasses>
ESPALIER_DOUBLE __mmask8 fpclass_ps_mask(__m256 v) {
  uint32_t mask = 0;
  for (int i = 0; i < 8; ++i) mask |= ((classes(v[i]) & kClasses) != 0 ? 1u : 0u) << i;
  return static_cast<__mmask8>(mask);
}

// ---- Lanes to other lanes ----

template <int kOrder>
ESPALIER_DOUBLE __m512 permute_ps(__m512 a) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = a[i / 4 * 4 + (kOrder >> (i % 4 * 2) & 3)];
  return v;
}
ESPALIER_DOUBLE __m512 permutex2var_ps(__m512 a, __m512i index, __m512 b) {
  const Ints lanes = ints(index);
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = (lanes[i] & 16) == 0 ? a[lanes[i] & 15] : b[lanes[i] & 15];
  return v;
}
ESPALIER_DOUBLE __m512 mask_blend_ps(__mmask16 mask, __m512 a, __m512 b) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = has(mask, i) ? b[i] : a[i];
  return v;
}
ESPALIER_DOUBLE __m512i maskz_expand_epi32(__mmask16 mask, __m512i a) {
  const Ints from = ints(a);
  Ints v{};
  for (int i = 0, next = 0; i < 16; ++i) {
    if (has(mask, i)) v[i] = from[next++];
  }
  return packed(v);
}

// ---- Types ----

ESPALIER_DOUBLE __m512i cvtepu8_epi32(__m128i bytes) {
  uint8_t each[16];
  std::memcpy(each, &bytes, sizeof(each));
  Ints v;
  for (int i = 0; i < 16; ++i) v[i] = each[i];
  return packed(v);
}
ESPALIER_DOUBLE __m512 castsi512_ps(__m512i a) {
  __m512 v;
  std::memcpy(&v, &a, sizeof(v));
  return v;
}
ESPALIER_DOUBLE __m256 castps512_ps256(__m512 a) {
  __m256 v;
  std::memcpy(&v, &a, sizeof(v));
  return v;
}
ESPALIER_DOUBLE __m512 castps256_ps512(__m256 a) {
  __m512 v;
  for (int i = 0; i < 16; ++i) v[i] = i < 8 ? a[i] : undefined();
  return v;
}

}  // namespace avx512_double
}  // namespace espalier

#if defined(ESPALIER_EMULATE_AVX512)
// The intrinsics with an immediate are macros of their own where nothing is optimised.
#undef _mm512_cmp_ps_mask
#undef _mm512_fpclass_ps_mask
#undef _mm256_fpclass_ps_mask
#undef _mm512_permute_ps
#define _mm512_loadu_ps espalier::avx512_double::loadu_ps
#define _mm512_loadu_si512 espalier::avx512_double::loadu_si512
#define _mm512_maskz_loadu_ps espalier::avx512_double::maskz_loadu_ps
#define _mm512_storeu_ps espalier::avx512_double::storeu_ps
#define _mm512_store_ps espalier::avx512_double::store_ps
#define _mm512_mask_storeu_ps espalier::avx512_double::mask_storeu_ps
#define _mm512_setzero_ps espalier::avx512_double::setzero_ps
#define _mm512_setzero_si512 espalier::avx512_double::setzero_si512
#define _mm512_set1_ps espalier::avx512_double::set1_ps
#define _mm512_set1_epi32 espalier::avx512_double::set1_epi32
#define _mm512_broadcast_f32x4 espalier::avx512_double::broadcast_f32x4
#define _mm512_add_ps espalier::avx512_double::add_ps
#define _mm512_fmadd_ps espalier::avx512_double::fmadd_ps
#define _mm512_max_ps espalier::avx512_double::max_ps
#define _mm512_min_ps espalier::avx512_double::min_ps
#define _mm512_mask_mul_ps espalier::avx512_double::mask_mul_ps
#define _mm512_cmp_ps_mask(a, b, predicate) espalier::avx512_double::cmp_ps_mask<predicate>(a, b)
#define _mm512_test_epi32_mask espalier::avx512_double::test_epi32_mask
#define _mm_movepi8_mask espalier::avx512_double::movepi8_mask
#define _mm512_fpclass_ps_mask(v, of) espalier::avx512_double::fpclass_ps_mask<of>(v)
#define _mm256_fpclass_ps_mask(v, of) espalier::avx512_double::fpclass_ps_mask<of>(v)
#define _mm512_permute_ps(v, order) espalier::avx512_double::permute_ps<order>(v)
#define _mm512_permutex2var_ps espalier::avx512_double::permutex2var_ps
#define _mm512_mask_blend_ps espalier::avx512_double::mask_blend_ps
#define _mm512_maskz_expand_epi32 espalier::avx512_double::maskz_expand_epi32
#define _mm512_cvtepu8_epi32 espalier::avx512_double::cvtepu8_epi32
#define _mm512_castsi512_ps espalier::avx512_double::castsi512_ps
#define _mm512_castps512_ps256 espalier::avx512_double::castps512_ps256
#define _mm512_castps256_ps512 espalier::avx512_double::castps256_ps512
#endif

#endif  // ESPALIER_NATIVE_TEST_AVX512_DOUBLE_H_
