// How the values between operations lie in memory: what all kernels and operations keep to.
#ifndef ESPALIER_NATIVE_KERNELS_VALUES_H_
#define ESPALIER_NATIVE_KERNELS_VALUES_H_

#include <cstddef>

namespace espalier {

// Values of the engine lie in one of two ways:
//  - sample-major, for batches up to kSampleMajorMax: sample s at data + s * stride, its features
//  contiguous;
//  - panel (feature-major), for larger ones: feature f at data + f * ld, its n columns (samples)
//  contiguous.
// Buffers start on a 64-byte boundary, and strides and ld are multiples of 16 floats.
// A panel has n <= kPanelColumns columns; kernels may read and write columns in [n, round_up(n,
// 16)) of it, whose contents mean nothing (they must never fault nor influence other columns).
// Kernels read no feature beyond their inputs' (a matrix's columns) and write none beyond their
// outputs' (its rows), and no byte outside those.
inline constexpr int kSampleMajorMax = 4;
inline constexpr int kPanelColumns = 64;

// Floats of a cache line: buffers start at one, and strides and ld are multiples of it.
inline constexpr size_t kValueAlignment = 16;
inline constexpr size_t aligned_values(size_t n) {
  return (n + kValueAlignment - 1) / kValueAlignment * kValueAlignment;
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_VALUES_H_
