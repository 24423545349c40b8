// Four floats in the vector extension of GCC and Clang, as vector.h wants it: compiled for what
// every machine of its kind has (SSE2 on x86-64).
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_PORTABLE_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_PORTABLE_H_

#include "kernels/linear/vector.h"

namespace espalier {
namespace {

struct Quad {
  typedef float Vector __attribute__((vector_size(16)));
  static constexpr int kWidth = 4;
  ESPALIER_INLINE Vector load(const float* p) {
    Vector v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
  ESPALIER_INLINE void store(float* p, Vector v) { __builtin_memcpy(p, &v, sizeof(v)); }
  ESPALIER_INLINE void store_first(float* p, Vector v, uint32_t n) {
    if (n >= 4) return store(p, v);
    for (uint32_t i = 0; i < n; ++i) p[i] = v[i];
  }
  ESPALIER_INLINE Vector zero() { return Vector{}; }
  ESPALIER_INLINE Vector broadcast(const float* p) { return Vector{*p, *p, *p, *p}; }
  ESPALIER_INLINE Vector add(Vector a, Vector b) { return a + b; }
  ESPALIER_INLINE Vector fma(Vector a, Vector b, Vector c) { return a * b + c; }
  ESPALIER_INLINE Vector load_four(const float* p) { return load(p); }
  ESPALIER_INLINE Vector spread(Vector four, int i) {
    return Vector{four[i], four[i], four[i], four[i]};
  }
  ESPALIER_INLINE Vector load_bf16(const uint16_t* p) {
    typedef uint32_t Words __attribute__((vector_size(16)));
    const Words words = {uint32_t{p[0]} << 16, uint32_t{p[1]} << 16, uint32_t{p[2]} << 16,
                         uint32_t{p[3]} << 16};
    Vector v;
    __builtin_memcpy(&v, &words, sizeof(v));
    return v;
  }
  ESPALIER_INLINE Vector load_f16(const uint16_t* p) {
    return Vector{half(p[0]), half(p[1]), half(p[2]), half(p[3])};
  }
  // A float16 that is finite: its exponent and mantissa in the place of a float32's are 2^-112 of
  // it.
  ESPALIER_INLINE float half(uint32_t bits) {
    const uint32_t magnitude = (bits & 0x7fffu) << 13;
    float value;
    __builtin_memcpy(&value, &magnitude, sizeof(value));
    return (bits & 0x8000u) != 0 ? value * -0x1p112f : value * 0x1p112f;
  }
  ESPALIER_INLINE Vector load_i8(const int8_t* p) {
    return Vector{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]),
                  static_cast<float>(p[3])};
  }
  ESPALIER_INLINE Vector diagonal(const Vector* v) {
    return Vector{v[0][0], v[1][1], v[2][2], v[3][3]};
  }
  ESPALIER_INLINE Vector activate(const Epilogue& epilogue, Vector v) {
    const Vector zero = {}, six = {6, 6, 6, 6};
    switch (epilogue.kind) {
      case ActivationKind::kRelu:
        return v < zero ? zero : v;
      case ActivationKind::kRelu6:
        return v < zero ? zero : v > six ? six : v;
      case ActivationKind::kLeakyRelu:
        return v < zero ? v * epilogue.alpha : v;
      default:
        return v;
    }
  }
  // v - v is 0 for finite values and NaN for the others.
  ESPALIER_INLINE uint32_t not_finite(Vector v) {
    const Vector zero = v - v;
    return (zero[0] != 0.0f ? 1u : 0u) | (zero[1] != 0.0f ? 2u : 0u) | (zero[2] != 0.0f ? 4u : 0u) |
           (zero[3] != 0.0f ? 8u : 0u);
  }
};

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_PORTABLE_H_
