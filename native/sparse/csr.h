// Compressed sparse rows, the canonical form of a weight matrix (rows = outputs, cols = inputs).
#ifndef ESPALIER_NATIVE_SPARSE_CSR_H_
#define ESPALIER_NATIVE_SPARSE_CSR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sparse/aligned.h"

namespace espalier {

// A view of CSR arrays somebody else owns.
// row_ptr: rows + 1, starts at 0, never decreases, ends at nnz. col_idx, values: nnz.
// Columns strictly increase inside a row and lie in [0, cols). Values are finite and not zero.
struct CsrView {
  uint32_t rows = 0;
  uint32_t cols = 0;
  const int32_t* row_ptr = nullptr;
  const int32_t* col_idx = nullptr;
  const float* values = nullptr;

  size_t nnz() const { return rows == 0 ? 0 : static_cast<size_t>(row_ptr[rows]); }
};

struct Csr {
  uint32_t rows = 0;
  uint32_t cols = 0;
  std::vector<int32_t> row_ptr;
  UnsetVector<int32_t> col_idx;
  UnsetVector<float> values;

  CsrView view() const { return {rows, cols, row_ptr.data(), col_idx.data(), values.data()}; }
};

// nullptr if the view is well formed, else a short reason (a literal). O(nnz). `*_length` are the
// lengths of the caller's arrays: nothing is read before they are known to suffice.
const char* check_csr(const CsrView& csr, size_t row_ptr_length, size_t col_idx_length,
                      size_t values_length);

Csr copy_csr(const CsrView& csr);

// Row-major dense (rows x cols) to CSR; -0.0 counts as zero. O(rows * cols).
Csr csr_from_dense(const float* dense, uint32_t rows, uint32_t cols);
// The same into the caller's arrays: rows + 1, and as many as there are non-zeros.
void fill_csr_from_dense(const float* dense, uint32_t rows, uint32_t cols, int32_t* row_ptr,
                         int32_t* col_idx, float* values);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_CSR_H_
