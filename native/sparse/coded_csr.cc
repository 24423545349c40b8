#include "sparse/coded_csr.h"

#include <cstring>

namespace espalier {
namespace {

size_t bytes_a_value(ValueCode code) {
  switch (code) {
    case ValueCode::kFloat32:
      return 4;
    case ValueCode::kSplit:
      return 3;
    case ValueCode::kFloat16:
    case ValueCode::kPalette16:
      return 2;
    case ValueCode::kPalette8:
      return 1;
  }
  return 0;
}

unsigned top_bits(size_t tops) {
  unsigned bits = 1;
  while (size_t{1} << bits < tops) ++bits;
  return bits;
}

// All that can be told before memory is asked for.
const char* check_lengths(const CodedCsr& coded) {
  if (coded.cols > static_cast<uint32_t>(INT32_MAX) ||
      coded.rows >= static_cast<uint32_t>(INT32_MAX)) {
    return "more than 2147483647 rows or columns";
  }
  if (coded.bits > kMostRunBits) return "the bits of a run must be 0 to 16";
  const size_t size = bytes_a_value(coded.code);
  if (size == 0) return "the values have no known code";
  const uint64_t cells = uint64_t{coded.rows} * coded.cols;
  if (coded.nnz > cells) return "more values than the matrix has places";
  if (coded.nnz > INT32_MAX) return "more than 2147483647 values";
  if (coded.codes.length % size != 0 || coded.codes.length / size != coded.nnz) {
    return "the codes of the values must be nnz";
  }
  const bool indexed = coded.code == ValueCode::kPalette16 || coded.code == ValueCode::kPalette8;
  if (indexed ? coded.palette.length % 4 != 0 : coded.palette.length != 0) {
    return "the palette has a wrong length";
  }
  if (coded.code == ValueCode::kSplit) {
    if (coded.tops.length < 1 || coded.tops.length > kMostTops) {
      return "the highest bytes must be 1 to 32";
    }
    if (coded.high.length != (coded.nnz * top_bits(coded.tops.length) + 7) / 8) {
      return "the indices of the highest bytes have a wrong length";
    }
  } else if (coded.tops.length != 0 || coded.high.length != 0) {
    return "only values that are split have highest bytes";
  }
  if (coded.bits == 0 && (coded.nnz != cells || coded.runs.length != 0)) {
    return "a matrix without zeros has other lengths";
  }
  return nullptr;
}

const char* decode_runs(const CodedCsr& coded, Csr& csr) {
  const uint32_t rows = coded.rows, cols = coded.cols, nnz = static_cast<uint32_t>(coded.nnz);
  int32_t* row_ptr = csr.row_ptr.data();
  int32_t* col_idx = csr.col_idx.data();
  if (coded.bits == 0) {
    for (uint32_t row = 0; row < rows; ++row) {
      for (uint32_t col = 0; col < cols; ++col) *col_idx++ = static_cast<int32_t>(col);
      row_ptr[row + 1] = static_cast<int32_t>((row + 1) * cols);
    }
    return nullptr;
  }
  const unsigned bits = coded.bits;
  const uint32_t escape = (1u << bits) - 1;
  const uint8_t* next = coded.runs.data;
  const uint8_t* const end = next + coded.runs.length;
  uint32_t held = 0, row = 0;
  unsigned width = 0;
  uint64_t col = 0;
  for (uint32_t at = 0; at < nnz;) {
    for (; width < bits; width += 8) {
      if (next == end) return "codes of positions end before the last value";
      held |= static_cast<uint32_t>(*next++) << width;
    }
    const uint32_t code = held & escape;
    held >>= bits;
    width -= bits;
    col += code;
    while (col >= cols) {
      // A code may pass many short rows; rows bound the loop.
      col -= cols;
      if (++row >= rows) return "codes of positions leave the matrix";
      row_ptr[row] = static_cast<int32_t>(at);
    }
    if (code == escape) continue;
    col_idx[at++] = static_cast<int32_t>(col++);
    if (col == cols && at < nnz) {
      col = 0;
      if (++row >= rows) return "codes of positions leave the matrix";
      row_ptr[row] = static_cast<int32_t>(at);
    }
  }
  while (row < rows) row_ptr[++row] = static_cast<int32_t>(nnz);
  // What fills up the last byte is ones: the same matrix has one coding.
  if (next != end || held != (1u << width) - 1) {
    return "codes of positions go on after the last value";
  }
  return nullptr;
}

template <typename T>
T read(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

uint32_t float16_bits(uint32_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  uint32_t exponent = half >> 10 & 31, mantissa = half & 0x3ffu;
  if (exponent == 31) return sign | 0x7f800000u | mantissa << 13;
  if (exponent != 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  if (mantissa == 0) return sign;
  // Subnormal: its highest one becomes the hidden bit.
  for (exponent = 113; (mantissa & 0x400u) == 0; mantissa <<= 1) --exponent;
  return sign | exponent << 23 | (mantissa & 0x3ffu) << 13;
}

// Keeps the number with these bits; false where a CSR may not hold it.
inline bool put(float& to, uint32_t bits) {
  std::memcpy(&to, &bits, sizeof(float));
  return (bits & 0x7f800000u) != 0x7f800000u && (bits & 0x7fffffffu) != 0;
}

const char* decode_values(const CodedCsr& coded, Csr& csr) {
  constexpr const char* kBadValue = "values must be finite and not zero";
  constexpr const char* kBadIndex = "the index of a value lies outside of its list";
  const size_t nnz = static_cast<size_t>(coded.nnz);
  const uint8_t* codes = coded.codes.data;
  float* values = csr.values.data();
  bool good = true;
  switch (coded.code) {
    case ValueCode::kFloat32:
      for (size_t i = 0; i < nnz; ++i) good &= put(values[i], read<uint32_t>(codes + 4 * i));
      break;
    case ValueCode::kFloat16:
      for (size_t i = 0; i < nnz; ++i) {
        good &= put(values[i], float16_bits(read<uint16_t>(codes + 2 * i)));
      }
      break;
    case ValueCode::kPalette16:
    case ValueCode::kPalette8: {
      const bool wide = coded.code == ValueCode::kPalette16;
      const size_t entries = coded.palette.length / 4;
      for (size_t i = 0; i < nnz; ++i) {
        const size_t index = wide ? read<uint16_t>(codes + 2 * i) : codes[i];
        if (index >= entries) return kBadIndex;
        good &= put(values[i], read<uint32_t>(coded.palette.data + 4 * index));
      }
      break;
    }
    case ValueCode::kSplit: {
      const unsigned bits = top_bits(coded.tops.length);
      const uint8_t* high = coded.high.data;
      uint32_t held = 0;
      unsigned width = 0;
      for (size_t i = 0; i < nnz; ++i, codes += 3) {
        if (width < bits) {
          held |= static_cast<uint32_t>(*high++) << width;
          width += 8;
        }
        const size_t index = held & ((1u << bits) - 1);
        held >>= bits;
        width -= bits;
        if (index >= coded.tops.length) return kBadIndex;
        good &= put(values[i], codes[0] | uint32_t{codes[1]} << 8 | uint32_t{codes[2]} << 16 |
                                   uint32_t{coded.tops.data[index]} << 24);
      }
      break;
    }
  }
  return good ? nullptr : kBadValue;
}

}  // namespace

const char* decode_csr(const CodedCsr& coded, Csr& csr) {
  if (const char* reason = check_lengths(coded)) return reason;
  csr.rows = coded.rows;
  csr.cols = coded.cols;
  csr.row_ptr.assign(static_cast<size_t>(coded.rows) + 1, 0);
  csr.col_idx.resize(static_cast<size_t>(coded.nnz));
  if (const char* reason = decode_runs(coded, csr)) return reason;
  csr.values.resize(static_cast<size_t>(coded.nnz));
  return decode_values(coded, csr);
}

}  // namespace espalier
