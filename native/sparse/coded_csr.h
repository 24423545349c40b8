// A weight matrix as an .esp file stores it (docs/format.md), and its decoding into CSR.
#ifndef ESPALIER_NATIVE_SPARSE_CODED_CSR_H_
#define ESPALIER_NATIVE_SPARSE_CODED_CSR_H_

#include <cstddef>
#include <cstdint>

#include "sparse/csr.h"

namespace espalier {

struct ByteSpan {
  const uint8_t* data = nullptr;
  size_t length = 0;
};

enum class ValueCode { kFloat32, kSplit, kFloat16, kPalette16, kPalette8, kBfloat16, kInt8 };

// Somebody else's bytes, unchecked, little-endian and at any alignment.
struct CodedCsr {
  uint32_t rows = 0;
  uint32_t cols = 0;
  uint64_t nnz = 0;
  unsigned bits = 0;  // of a code in `runs`: 0 (no zeros in the matrix) to 16
  ByteSpan runs;
  ValueCode code = ValueCode::kFloat32;
  // 4 bytes a value, 3 (kSplit), 2 (kFloat16, kBfloat16, kPalette16) or 1 (kPalette8, kInt8)
  ByteSpan codes;
  ByteSpan palette;  // kPalette*: float32 values; else empty
  ByteSpan tops;     // kSplit: 1 to 32 highest bytes; else empty
  ByteSpan high;     // kSplit: for each value its index in `tops`, packed; else empty
  ByteSpan scales;   // kInt8: a float32 for each row; else empty
};

inline constexpr unsigned kMostRunBits = 16;
inline constexpr size_t kMostTops = 32;

// Decodes into `csr`, which then is well formed (check_csr), and returns nullptr; else a short
// reason (a literal), `csr` holding nothing of use. Reads nothing outside of the spans and asks for
// memory by rows and by what the spans hold: a number that they do not bear out is refused first.
// Throws std::bad_alloc. O(rows + nnz + bytes).
const char* decode_csr(const CodedCsr& coded, Csr& csr);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_CODED_CSR_H_
