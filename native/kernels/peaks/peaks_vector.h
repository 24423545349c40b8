// The loops of PeakKernels for a vector V as vector.h has it.
#ifndef ESPALIER_NATIVE_KERNELS_PEAKS_PEAKS_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_PEAKS_PEAKS_VECTOR_H_

#include "kernels/linear/vector.h"
#include "kernels/peaks/peaks.h"

namespace espalier {
namespace {

template <typename V>
ESPALIER_INLINE float sum_lanes(typename V::Vector v) {
  float lanes[V::kWidth];
  V::store(lanes, v);
  float sum = 0;
  for (int i = 0; i < V::kWidth; ++i) sum += lanes[i];
  return sum;
}

// Variables of their own stay in registers, which arrays do not always. All begin differently, or
// the compiler computes only one of those that are alike.
template <typename V>
float peak_fma(float a, float b, uint32_t loops) {
  const auto start = [b](float factor) {
    const float value = b * factor;
    return V::broadcast(&value);
  };
  const typename V::Vector factor = V::broadcast(&a), term = V::broadcast(&b);
  typename V::Vector s0 = start(0.1f), s1 = start(0.2f), s2 = start(0.3f), s3 = start(0.4f);
  typename V::Vector s4 = start(0.5f), s5 = start(0.6f), s6 = start(0.7f), s7 = start(0.8f);
  typename V::Vector s8 = start(0.9f), s9 = start(1.1f);
  for (uint32_t i = 0; i < loops; ++i) {
    s0 = V::fma(s0, factor, term);
    s1 = V::fma(s1, factor, term);
    s2 = V::fma(s2, factor, term);
    s3 = V::fma(s3, factor, term);
    s4 = V::fma(s4, factor, term);
    s5 = V::fma(s5, factor, term);
    s6 = V::fma(s6, factor, term);
    s7 = V::fma(s7, factor, term);
    s8 = V::fma(s8, factor, term);
    s9 = V::fma(s9, factor, term);
  }
  const typename V::Vector low = V::add(V::add(V::add(s0, s1), V::add(s2, s3)), s4);
  const typename V::Vector high = V::add(V::add(V::add(s5, s6), V::add(s7, s8)), s9);
  return sum_lanes<V>(V::add(low, high));
}

template <typename V>
float peak_read(const float* data, size_t floats) {
  typename V::Vector s0 = V::zero(), s1 = V::zero(), s2 = V::zero(), s3 = V::zero();
  typename V::Vector s4 = V::zero(), s5 = V::zero(), s6 = V::zero(), s7 = V::zero();
  static_assert(kPeakFloats % (8 * V::kWidth) == 0, "whole rounds of eight vectors");
  for (const float *p = data, *end = data + floats; p != end; p += 8 * V::kWidth) {
    s0 = V::add(s0, V::load(p));
    s1 = V::add(s1, V::load(p + V::kWidth));
    s2 = V::add(s2, V::load(p + 2 * V::kWidth));
    s3 = V::add(s3, V::load(p + 3 * V::kWidth));
    s4 = V::add(s4, V::load(p + 4 * V::kWidth));
    s5 = V::add(s5, V::load(p + 5 * V::kWidth));
    s6 = V::add(s6, V::load(p + 6 * V::kWidth));
    s7 = V::add(s7, V::load(p + 7 * V::kWidth));
  }
  return sum_lanes<V>(
      V::add(V::add(V::add(s0, s1), V::add(s2, s3)), V::add(V::add(s4, s5), V::add(s6, s7))));
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_PEAKS_PEAKS_VECTOR_H_
