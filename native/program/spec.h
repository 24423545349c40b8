// A program as it comes from outside, unchecked: plain data that borrows the caller's arrays.
//
// It mirrors src/program/program.ts. What fields an operation has is told by its type
// (operation.h).
#ifndef ESPALIER_NATIVE_PROGRAM_SPEC_H_
#define ESPALIER_NATIVE_PROGRAM_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/activation.h"
#include "sparse/coded_csr.h"
#include "sparse/csr.h"

namespace espalier {

struct FloatsSpec {
  const float* data = nullptr;  // nullptr: null was given
  size_t length = 0;
};

struct IndicesSpec {
  const int32_t* data = nullptr;
  size_t length = 0;
};

// Given in one of two forms: as CSR arrays, or as the bytes of an .esp file (`is_coded`); rows and
// cols are in `csr` either way.
struct MatrixSpec {
  CsrView csr;
  size_t row_ptr_length = 0;
  size_t col_idx_length = 0;
  size_t values_length = 0;
  bool is_coded = false;
  CodedCsr coded = {};
};

// Fields lie in the order in which the type declares those of their kind.
struct OperationSpec {
  std::string type;
  std::string name;
  std::vector<uint64_t> inputs;
  uint64_t output = 0;
  Activation activation;
  std::vector<uint64_t> sizes;  // flags and choices too
  std::vector<FloatsSpec> floats;
  std::vector<IndicesSpec> indices;
  std::vector<MatrixSpec> matrices;
  std::vector<float> numbers = {};
  Activation recurrent_activation = {};
};

struct ProgramSpec {
  std::vector<uint64_t> features;  // of each value, per sample
  std::vector<uint64_t> inputs;    // values
  std::vector<uint64_t> outputs;
  std::vector<OperationSpec> operations;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_SPEC_H_
