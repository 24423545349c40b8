// Weights in fewer bits than float32. Sums stay float32.
#ifndef ESPALIER_NATIVE_SPARSE_VALUE_FORMAT_H_
#define ESPALIER_NATIVE_SPARSE_VALUE_FORMAT_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "sparse/csr.h"

namespace espalier {

enum class ValueFormat : uint8_t {
  kFloat32,
  kBfloat16,  // the upper half of a float32, rounded to even: relative error at most 2^-8
  kInt8,      // whole numbers of -127 to 127 times a scale of their row: error at most half a scale
};

inline float from_bfloat16(uint16_t bits) {
  const uint32_t wide = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

// Of a finite value; one that would round to infinity becomes the largest finite one.
inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  const auto upper = static_cast<uint16_t>(rounded >> 16);
  return (upper & 0x7f80) == 0x7f80 ? static_cast<uint16_t>(upper - 1) : upper;
}

// The scale of a row of int8: its largest magnitude is 127.
inline float int8_scale(const float* values, size_t n) {
  float most = 0.0f;
  for (size_t i = 0; i < n; ++i) most = std::fmax(most, std::fabs(values[i]));
  return most / 127.0f;
}
inline int8_t to_int8(float value, float scale) {
  return scale == 0.0f ? int8_t{0} : static_cast<int8_t>(std::lround(value / scale));
}

// What a matrix is once its values are stored in a format; those that become zero are dropped.
inline void round_values(Csr& csr, ValueFormat format) {
  if (format == ValueFormat::kFloat32) return;
  size_t kept = 0;
  int32_t begin = 0;
  for (uint32_t row = 0; row < csr.rows; ++row) {
    const int32_t end = csr.row_ptr[row + 1];
    const float scale = format == ValueFormat::kInt8 ? int8_scale(csr.values.data() + begin,
                                                                  static_cast<size_t>(end - begin))
                                                     : 0.0f;
    for (int32_t i = begin; i < end; ++i) {
      const float value = format == ValueFormat::kInt8
                              ? static_cast<float>(to_int8(csr.values[i], scale)) * scale
                              : from_bfloat16(to_bfloat16(csr.values[i]));
      if (value == 0.0f) continue;
      csr.values[kept] = value;
      csr.col_idx[kept] = csr.col_idx[i];
      ++kept;
    }
    csr.row_ptr[row + 1] = static_cast<int32_t>(kept);
    begin = end;
  }
  csr.values.resize(kept);
  csr.col_idx.resize(kept);
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_VALUE_FORMAT_H_
