// The functions behind the elementwise kernels, written once for any vector width. Included only by
// the files of the instruction sets, which define ESPALIER_WIDTH, the floats of a register; all of
// it has internal linkage, so that no copy with such instructions can be linked into other code.
//
// No product is fused with a sum here (-ffp-contract=off), so every width and instruction set gives
// the same bits. Largest errors found against float64 on every 257th float: exp and expm1 1.0 ulp,
// tanh 2.5, sigmoid 2.4, softplus 2.7. Products and tails: gelu 6.9, gelu_tanh 7.8 and swish 2.8
// ulp for x > -2; below, where exp takes the rounding of its argument, up to 240 ulp of values
// under 1e-6 (all of them within 1.6e-7 absolute, or relative above 1). NaN stays NaN; Inf and
// overflow as in libm.
#ifndef ESPALIER_NATIVE_KERNELS_ELEMENTWISE_FUNCTIONS_H_
#define ESPALIER_NATIVE_KERNELS_ELEMENTWISE_FUNCTIONS_H_

#include <cstddef>
#include <cstdint>

#define ESPALIER_INLINE static inline __attribute__((always_inline))

namespace espalier {
namespace {

constexpr size_t kWidth = ESPALIER_WIDTH;
typedef float Floats __attribute__((vector_size(ESPALIER_WIDTH * 4)));
typedef int32_t Ints __attribute__((vector_size(ESPALIER_WIDTH * 4)));

ESPALIER_INLINE Floats splat(float v) { return v - Floats{}; }
ESPALIER_INLINE Floats load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
ESPALIER_INLINE void store(float* p, Floats v) { __builtin_memcpy(p, &v, sizeof(v)); }
// The first n lanes, n < kWidth, and not a byte more; the other lanes are zero.
ESPALIER_INLINE Floats load_first(const float* p, size_t n) {
  Floats v{};
  for (size_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
ESPALIER_INLINE void store_first(float* p, Floats v, size_t n) {
  for (size_t i = 0; i < n; ++i) p[i] = v[i];
}

ESPALIER_INLINE Floats as_floats(Ints v) { return reinterpret_cast<Floats>(v); }
ESPALIER_INLINE Ints as_ints(Floats v) { return reinterpret_cast<Ints>(v); }
ESPALIER_INLINE Floats absolute(Floats x) { return as_floats(as_ints(x) & 0x7fffffff); }
ESPALIER_INLINE Floats with_sign_of(Floats magnitude, Floats sign) {
  return as_floats((as_ints(magnitude) & 0x7fffffff) | (as_ints(sign) & INT32_MIN));
}
// NaN in x stays.
ESPALIER_INLINE Floats at_least(Floats x, float low) { return x < splat(low) ? splat(low) : x; }
ESPALIER_INLINE Floats at_most(Floats x, float high) { return x > splat(high) ? splat(high) : x; }

// x = n ln 2 + r with |r| <= ln 2 / 2, for |x| <= 104; and e^r - 1.
struct Reduced {
  Ints n;
  Floats expm1;
};
ESPALIER_INLINE Reduced reduce(Floats x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves no fraction
  Floats n = (x * 1.44269504088896341f + kRound) - kRound;
  // ln 2 in two parts, the first short enough for exact products.
  const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats p = splat(1.9875691500e-4f);  // Cephes, expf
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  n = n == n ? n : Floats{};
  return {__builtin_convertvector(n, Ints), p * (r * r) + r};
}
ESPALIER_INLINE Floats power_of_two(Ints n) { return as_floats((n + 127) << 23); }

ESPALIER_INLINE Floats exp(Floats x) {
  const Reduced reduced = reduce(at_most(at_least(x, -104.0f), 89.0f));
  // In two steps, as 2^n may lie outside the normal numbers.
  const Ints half = reduced.n >> 1;
  return (reduced.expm1 + 1.0f) * power_of_two(half) * power_of_two(reduced.n - half);
}

// e^x - 1 for x <= 0.
ESPALIER_INLINE Floats expm1_negative(Floats x) {
  const Reduced reduced = reduce(at_least(x, -25.0f));
  const Floats scale = power_of_two(reduced.n);
  return reduced.expm1 * scale + (scale - 1.0f);
}

ESPALIER_INLINE Floats tanh(Floats x) {
  const Floats t = expm1_negative(-2.0f * absolute(x));
  return with_sign_of(t / (t + 2.0f), x);
}

ESPALIER_INLINE Floats sigmoid(Floats x) {
  const Floats e = exp(-absolute(x));
  return (x < Floats{} ? e : splat(1.0f)) / (1.0f + e);
}

// log(1 + u) for 0 <= u <= 1: 2 atanh(u / (2 + u)), by its series.
ESPALIER_INLINE Floats log1p_unit(Floats u) {
  const Floats s = u / (u + 2.0f);
  const Floats z = s * s;
  Floats p = splat(1.0f / 17);
  p = p * z + 1.0f / 15;
  p = p * z + 1.0f / 13;
  p = p * z + 1.0f / 11;
  p = p * z + 1.0f / 9;
  p = p * z + 1.0f / 7;
  p = p * z + 1.0f / 5;
  p = p * z + 1.0f / 3;
  return 2.0f * (s + s * (z * p));
}

ESPALIER_INLINE Floats softplus(Floats x) {
  return at_least(x, 0.0f) + log1p_unit(exp(-absolute(x)));
}

// erfc(z) for z >= 0: exp(-z^2) times a polynomial in (z - 2) / (z + 2), fitted to
// exp(z^2) erfc(z) (z + 2) on [0, 10.5] to 2.2e-8 relative.
ESPALIER_INLINE Floats erfc_positive(Floats z) {
  z = at_most(z, 10.5f);
  const Floats denominator = z + 2.0f;
  const Floats s = (z - 2.0f) / denominator;
  Floats p = splat(-4.22656300e-5f);
  p = p * s - 5.21894469e-4f;
  p = p * s - 7.27934582e-4f;
  p = p * s + 3.03670041e-3f;
  p = p * s + 6.43464269e-3f;
  p = p * s - 2.15011146e-2f;
  p = p * s - 3.64356886e-2f;
  p = p * s + 2.79471366e-1f;
  p = p * s - 6.87160936e-1f;
  p = p * s + 1.02158272f;
  return exp(-(z * z)) * (p / denominator);
}

// The standard normal distribution function.
ESPALIER_INLINE Floats normal_cdf(Floats x) {
  const Floats tail = 0.5f * erfc_positive(absolute(x) * 0.70710678118654752f);
  return x < Floats{} ? tail : 1.0f - tail;
}

// x tanh(log(1 + e^x)): with u = e^x (e^x + 2), tanh is u / (u + 2), and 1 from 20 on.
ESPALIER_INLINE Floats mish(Floats x) {
  const Floats e = exp(at_most(x, 20.0f));
  const Floats u = e * (e + 2.0f);
  return x * (u / (u + 2.0f));
}

// (x + sqrt(x^2 + 4)) / 2, for x < 0 as 2 / (sqrt(x^2 + 4) - x): nothing cancels. Of -Inf it is the
// sum that the first form has, Inf - Inf.
ESPALIER_INLINE Floats squareplus(Floats x) {
  const Floats a = absolute(x);
  const Floats small = at_most(a, 1e9f);
  Floats root = small * small + 4.0f;
  for (size_t i = 0; i < kWidth; ++i) root[i] = __builtin_sqrtf(root[i]);
  root = a > splat(1e9f) ? a : root;
  // Halved first: the sum of two large numbers is infinite.
  const Floats sum = 0.5f * x + 0.5f * root;
  const Ints whole = (x < Floats{}) & (a <= splat(__FLT_MAX__));
  return whole ? 2.0f / (root + a) : sum;
}

ESPALIER_INLINE Floats elu(Floats x, float alpha) {
  return x < Floats{} ? alpha * expm1_negative(at_most(x, 0.0f)) : x;
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_ELEMENTWISE_FUNCTIONS_H_
