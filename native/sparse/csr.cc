#include "sparse/csr.h"

#include <cmath>

namespace espalier {

const char* check_csr(const CsrView& csr, size_t row_ptr_length, size_t col_idx_length,
                      size_t values_length) {
  // Indices are int32: larger matrices could not be addressed.
  if (csr.cols > static_cast<uint32_t>(INT32_MAX) || csr.rows >= static_cast<uint32_t>(INT32_MAX)) {
    return "more than 2147483647 rows or columns";
  }
  if (row_ptr_length != static_cast<size_t>(csr.rows) + 1)
    return "row_ptr must have rows + 1 entries";
  if (csr.row_ptr[0] != 0) return "row_ptr must start at 0";
  for (uint32_t row = 0; row < csr.rows; ++row) {
    if (csr.row_ptr[row + 1] < csr.row_ptr[row]) return "row_ptr must never decrease";
  }
  const size_t nnz = static_cast<size_t>(csr.row_ptr[csr.rows]);
  if (col_idx_length != nnz) return "col_idx must have row_ptr[rows] entries";
  if (values_length != nnz) return "values must have row_ptr[rows] entries";
  for (uint32_t row = 0; row < csr.rows; ++row) {
    int32_t previous = -1;
    for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
      const int32_t col = csr.col_idx[i];
      if (col <= previous) return "col_idx must strictly increase inside a row and not be negative";
      if (static_cast<uint32_t>(col) >= csr.cols) return "col_idx must be less than cols";
      previous = col;
    }
  }
  for (size_t i = 0; i < nnz; ++i) {
    if (!std::isfinite(csr.values[i])) return "values must be finite";
    if (csr.values[i] == 0.0f) return "values must not be zero";
  }
  return nullptr;
}

Csr copy_csr(const CsrView& csr) {
  const size_t nnz = csr.nnz();
  return {csr.rows, csr.cols, std::vector<int32_t>(csr.row_ptr, csr.row_ptr + csr.rows + 1),
          UnsetVector<int32_t>(csr.col_idx, csr.col_idx + nnz),
          UnsetVector<float>(csr.values, csr.values + nnz)};
}

Csr csr_from_dense(const float* dense, uint32_t rows, uint32_t cols) {
  Csr csr;
  csr.rows = rows;
  csr.cols = cols;
  csr.row_ptr.resize(static_cast<size_t>(rows) + 1);
  const size_t size = static_cast<size_t>(rows) * cols;
  size_t nnz = 0;
  for (size_t i = 0; i < size; ++i) nnz += dense[i] != 0.0f;
  csr.col_idx.resize(nnz);
  csr.values.resize(nnz);
  fill_csr_from_dense(dense, rows, cols, csr.row_ptr.data(), csr.col_idx.data(), csr.values.data());
  return csr;
}

void fill_csr_from_dense(const float* dense, uint32_t rows, uint32_t cols, int32_t* row_ptr,
                         int32_t* col_idx, float* values) {
  size_t next = 0;
  row_ptr[0] = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    const float* weights = dense + static_cast<size_t>(row) * cols;
    for (uint32_t col = 0; col < cols; ++col) {
      if (weights[col] == 0.0f) continue;
      col_idx[next] = static_cast<int32_t>(col);
      values[next] = weights[col];
      ++next;
    }
    row_ptr[row + 1] = static_cast<int32_t>(next);
  }
}

}  // namespace espalier
