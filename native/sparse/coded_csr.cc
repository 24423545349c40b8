#include "sparse/coded_csr.h"

#include <cstring>

#include "sparse/value_format.h"

namespace espalier {
namespace {

size_t bytes_a_value(ValueCode code) {
  switch (code) {
    case ValueCode::kFloat32:
      return 4;
    case ValueCode::kSplit:
      return 3;
    case ValueCode::kFloat16:
    case ValueCode::kBfloat16:
    case ValueCode::kPalette16:
      return 2;
    case ValueCode::kPalette8:
    case ValueCode::kInt8:
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
  if (coded.scales.length != (coded.code == ValueCode::kInt8 ? uint64_t{coded.rows} * 4 : 0)) {
    return "the scales must be one a row of int8";
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

// Reads bits from the lowest up, eight bytes at a time while there are as many.
class BitReader {
 public:
  explicit BitReader(const ByteSpan& bytes) : next_(bytes.data), end_(bytes.data + bytes.length) {}

  // Makes at least `bits` (at most 16) ready to take; false where the bytes end before.
  bool ready(unsigned bits) {
    if (width_ >= bits) return true;
    if (end_ - next_ >= 8) {
      uint64_t word;
      std::memcpy(&word, next_, sizeof(word));
      // What lies above width_ then is the bytes that come next: reading them again changes
      // nothing.
      held_ |= word << width_;
      next_ += (63 - width_) >> 3;
      width_ |= 56;
      return true;
    }
    for (; width_ < bits; width_ += 8) {
      if (next_ == end_) return false;
      held_ |= static_cast<uint64_t>(*next_++) << width_;
    }
    return true;
  }

  uint32_t take(unsigned bits) {
    const uint32_t taken = static_cast<uint32_t>(held_) & ((1u << bits) - 1);
    held_ >>= bits;
    width_ -= bits;
    return taken;
  }

  // Whether all is read but what fills up the last byte, and that is ones.
  bool ended() const {
    const uint64_t ones = (uint64_t{1} << width_) - 1;
    return next_ == end_ && width_ < 8 && (held_ & ones) == ones;
  }

 private:
  const uint8_t* next_;
  const uint8_t* const end_;
  uint64_t held_ = 0;
  unsigned width_ = 0;
};

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
  BitReader reader(coded.runs);
  uint32_t row = 0;
  uint64_t col = 0;
  for (uint32_t at = 0; at < nnz;) {
    if (!reader.ready(bits)) return "codes of positions end before the last value";
    const uint32_t code = reader.take(bits);
    col += code;
    while (col >= cols) {
      // A code may pass many short rows; rows bound the loop.
      col -= cols;
      if (++row >= rows) return "codes of positions leave the matrix";
      row_ptr[row] = static_cast<int32_t>(at);
    }
    // Without a branch: which codes are escapes cannot be foretold, and a later write takes this
    // place.
    const uint32_t placed = code != escape;
    col_idx[at] = static_cast<int32_t>(col);
    at += placed;
    col += placed;
    if (col == cols && at < nnz) {
      col = 0;
      if (++row >= rows) return "codes of positions leave the matrix";
      row_ptr[row] = static_cast<int32_t>(at);
    }
  }
  while (row < rows) row_ptr[++row] = static_cast<int32_t>(nnz);
  // What fills up the last byte is ones: the same matrix has one coding.
  if (!reader.ended()) {
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
        good &= put(values[i], bits_of_float(from_float16(read<uint16_t>(codes + 2 * i))));
      }
      break;
    case ValueCode::kBfloat16:
      for (size_t i = 0; i < nnz; ++i) {
        good &= put(values[i], uint32_t{read<uint16_t>(codes + 2 * i)} << 16);
      }
      break;
    case ValueCode::kInt8:
      for (uint32_t row = 0; row < csr.rows; ++row) {
        const float scale = read<float>(coded.scales.data + 4 * size_t{row});
        for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
          good &=
              put(values[i], bits_of_float(static_cast<float>(read<int8_t>(codes + i)) * scale));
        }
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
      BitReader reader(coded.high);
      for (size_t i = 0; i < nnz; ++i, codes += 3) {
        // Their length was checked: they are there.
        reader.ready(bits);
        const size_t index = reader.take(bits);
        if (index >= coded.tops.length) return kBadIndex;
        // Four bytes at once where there are four: the highest is the next value's.
        const uint32_t low = i + 1 < nnz
                                 ? read<uint32_t>(codes) & 0xffffffu
                                 : codes[0] | uint32_t{codes[1]} << 8 | uint32_t{codes[2]} << 16;
        good &= put(values[i], low | uint32_t{coded.tops.data[index]} << 24);
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
