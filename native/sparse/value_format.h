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
  kFloat16,   // rounded to even: relative error at most 2^-11 from 6.2e-5 on, absolute 2^-25 below
  kInt8,      // whole numbers of -127 to 127 times a scale of their row: error at most half a scale
};
inline constexpr int kValueFormats = 4;
inline constexpr const char* kValueFormatNames[kValueFormats] = {"float32", "bfloat16", "float16",
                                                                 "int8"};

// Of a weight in a layout.
inline double value_bytes(ValueFormat format) {
  return format == ValueFormat::kFloat32 ? 4 : format == ValueFormat::kInt8 ? 1 : 2;
}

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float from_bfloat16(uint16_t bits) { return float_of_bits(uint32_t{bits} << 16); }

// Of a finite value; one that would round to infinity becomes the largest finite one.
inline uint16_t to_bfloat16(float value) {
  const uint32_t bits = bits_of_float(value);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  const auto upper = static_cast<uint16_t>(rounded >> 16);
  return (upper & 0x7f80) == 0x7f80 ? static_cast<uint16_t>(upper - 1) : upper;
}

inline float from_float16(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  uint32_t exponent = half >> 10 & 31, mantissa = half & 0x3ffu;
  if (exponent == 31) return float_of_bits(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
  if (mantissa == 0) return float_of_bits(sign);
  // Subnormal: its highest one becomes the hidden bit.
  for (exponent = 113; (mantissa & 0x400u) == 0; mantissa <<= 1) --exponent;
  return float_of_bits(sign | exponent << 23 | (mantissa & 0x3ffu) << 13);
}

// Of a finite value; one beyond the largest float16 becomes that.
inline uint16_t to_float16(float value) {
  const uint32_t bits = bits_of_float(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const float size = std::fabs(value);
  if (size >= 65504.0f) return static_cast<uint16_t>(sign | 0x7bffu);
  // 2^-14 and above: 13 bits of the mantissa go. Below: whole numbers of 2^-24, found by adding a
  // number whose last bit is that much.
  if (size < 0x1p-14f) {
    const float sum = size + 0.5f;
    return static_cast<uint16_t>(sign | (bits_of_float(sum) - bits_of_float(0.5f)));
  }
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}

// The scale of a row of int8: at least its largest magnitude over 127, of 17 significant bits, so
// that every whole number of it up to 127 is a float32: rounding again changes nothing.
inline float int8_scale(const float* values, size_t n) {
  float most = 0.0f;
  for (size_t i = 0; i < n; ++i) most = std::fmax(most, std::fabs(values[i]));
  return float_of_bits((bits_of_float(most / 127.0f) + 0x7fu) & ~0x7fu);
}
inline int8_t to_int8(float value, float scale) {
  return scale == 0.0f ? int8_t{0} : static_cast<int8_t>(std::lround(value / scale));
}

// The number that a value becomes. scale: of its row, for int8.
inline float round_value(float value, ValueFormat format, float scale) {
  switch (format) {
    case ValueFormat::kBfloat16:
      return from_bfloat16(to_bfloat16(value));
    case ValueFormat::kFloat16:
      return from_float16(to_float16(value));
    case ValueFormat::kInt8:
      return static_cast<float>(to_int8(value, scale)) * scale;
    default:
      return value;
  }
}

inline float row_scale(const CsrView& csr, uint32_t row, ValueFormat format) {
  if (format != ValueFormat::kInt8) return 0.0f;
  const int32_t begin = csr.row_ptr[row];
  return int8_scale(csr.values + begin, static_cast<size_t>(csr.row_ptr[row + 1] - begin));
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
      const float value = round_value(csr.values[i], format, scale);
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

// The format of the fewest bits that holds every value as it is. O(nnz), and soon over for others.
inline ValueFormat exact_format(const CsrView& csr) {
  for (ValueFormat format : {ValueFormat::kInt8, ValueFormat::kBfloat16, ValueFormat::kFloat16}) {
    bool exact = csr.nnz() > 0;
    for (uint32_t row = 0; row < csr.rows && exact; ++row) {
      const float scale = row_scale(csr, row, format);
      for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1] && exact; ++i) {
        exact = round_value(csr.values[i], format, scale) == csr.values[i];
      }
    }
    if (exact) return format;
  }
  return ValueFormat::kFloat32;
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_VALUE_FORMAT_H_
