// The matrix of a spec as CSR of one's own.
#ifndef ESPALIER_NATIVE_PROGRAM_OWN_MATRIX_H_
#define ESPALIER_NATIVE_PROGRAM_OWN_MATRIX_H_

#include <string>

#include "program/refused.h"
#include "program/spec.h"

namespace espalier {

// Copied or decoded, well formed. Throws Refused{INVALID_MODEL} naming `name`, std::bad_alloc.
inline Csr own_matrix(const MatrixSpec& matrix, const char* name) {
  Csr csr;
  const char* reason = matrix.is_coded ? decode_csr(matrix.coded, csr)
                                       : check_csr(matrix.csr, matrix.row_ptr_length,
                                                   matrix.col_idx_length, matrix.values_length);
  if (reason != nullptr) refuse_model(std::string(name) + ": " + reason);
  if (!matrix.is_coded) csr = copy_csr(matrix.csr);
  return csr;
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_OWN_MATRIX_H_
