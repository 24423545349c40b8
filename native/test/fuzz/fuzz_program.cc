// Program::make over arbitrary specs, and a run of whatever it lets through, in buffers of the
// exact lengths.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "program/program.h"

using namespace espalier;

namespace {

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  bool empty() const { return size_ == 0; }
  // Mostly small, now and then anything.
  uint64_t number() {
    const uint8_t first = byte();
    if (first < 250) return first % 25;
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return first < 253 ? value % 200 : value;
  }
  float real() {
    const uint8_t first = byte();
    if (first < 250) return static_cast<float>(first - 125) / 16;
    uint32_t bits = 0;
    for (int i = 0; i < 4; ++i) bits = bits << 8 | byte();
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

// Arrays that the spec borrows, each in a heap block of its exact length.
struct Arrays {
  std::vector<std::unique_ptr<float[]>> floats;
  std::vector<std::unique_ptr<int32_t[]>> ints;

  FloatsSpec make_floats(Bytes& bytes, size_t length) {
    floats.emplace_back(new float[length]);
    for (size_t i = 0; i < length; ++i) floats.back()[i] = bytes.real();
    return {floats.back().get(), length};
  }
  IndicesSpec make_indices(Bytes& bytes, size_t length) {
    ints.emplace_back(new int32_t[length]);
    for (size_t i = 0; i < length; ++i) ints.back()[i] = static_cast<int32_t>(bytes.number());
    return {ints.back().get(), length};
  }
  MatrixSpec make_matrix(Bytes& bytes, uint32_t rows, uint32_t cols) {
    MatrixSpec matrix;
    const bool wild = bytes.byte() > 200;
    matrix.csr.rows = wild ? static_cast<uint32_t>(bytes.number()) : rows;
    matrix.csr.cols = wild ? static_cast<uint32_t>(bytes.number()) : cols;
    std::vector<int32_t> row_ptr{0}, col_idx;
    for (uint32_t row = 0; row < rows && row < 300; ++row) {
      for (uint32_t col = bytes.byte() % 4; col < cols && col < 400; col += 1 + bytes.byte() % 16) {
        col_idx.push_back(static_cast<int32_t>(col));
      }
      row_ptr.push_back(static_cast<int32_t>(col_idx.size()));
    }
    if (wild && !col_idx.empty()) {
      col_idx[bytes.byte() % col_idx.size()] = static_cast<int32_t>(bytes.number());
      row_ptr[bytes.byte() % row_ptr.size()] = static_cast<int32_t>(bytes.number());
    }
    const auto keep = [&](const std::vector<int32_t>& from) {
      ints.emplace_back(new int32_t[from.size()]);
      std::copy(from.begin(), from.end(), ints.back().get());
      return ints.back().get();
    };
    matrix.csr.row_ptr = keep(row_ptr);
    matrix.row_ptr_length = row_ptr.size();
    matrix.csr.col_idx = keep(col_idx);
    matrix.col_idx_length = col_idx.size();
    const FloatsSpec values = make_floats(bytes, col_idx.size());
    matrix.csr.values = values.data;
    matrix.values_length = values.length;
    return matrix;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  Arrays arrays;
  ProgramSpec spec;
  const size_t inputs = 1 + bytes.byte() % 2;
  for (size_t i = 0; i < inputs; ++i) {
    spec.inputs.push_back(bytes.byte() > 245 ? bytes.number() : spec.features.size());
    spec.features.push_back(bytes.number());
  }
  const size_t batch = 1 + bytes.byte() % 70;
  while (!bytes.empty() && spec.operations.size() < 12) {
    const auto& types = operation_types();
    const OperationType& type = *types[bytes.byte() % types.size()];
    OperationSpec operation;
    operation.type = type.name;
    operation.inputs.push_back(bytes.number() % spec.features.size());
    if (type.many_inputs) operation.inputs.push_back(bytes.number());
    operation.output = bytes.byte() > 250 ? bytes.number() : spec.features.size();
    const uint64_t features = spec.features[operation.inputs[0]];
    spec.features.push_back(bytes.byte() > 150 ? bytes.number() : features);
    for (const Field& field : type.fields) {
      switch (field.kind) {
        case FieldKind::kSize:
        case FieldKind::kFlag:
        case FieldKind::kChoice:
          operation.sizes.push_back(bytes.byte() > 150 ? bytes.number() : 1);
          break;
        case FieldKind::kNumber:
          operation.numbers.push_back(bytes.real());
          break;
        case FieldKind::kFloats:
        case FieldKind::kOptionalFloats:
          operation.floats.push_back(
              field.kind == FieldKind::kOptionalFloats && bytes.byte() > 100
                  ? FloatsSpec{}
                  : arrays.make_floats(
                        bytes, (bytes.byte() > 150 ? bytes.number() : spec.features.back()) % 500));
          break;
        case FieldKind::kIndices:
          operation.indices.push_back(arrays.make_indices(bytes, bytes.number() % 500));
          break;
        case FieldKind::kMatrix:
          operation.matrices.push_back(arrays.make_matrix(
              bytes, static_cast<uint32_t>(spec.features.back()), static_cast<uint32_t>(features)));
          break;
        case FieldKind::kActivation:
          operation.activation.kind = static_cast<ActivationKind>(bytes.byte() % 27);
          operation.activation.alpha = bytes.real();
          break;
        case FieldKind::kRecurrentActivation:
          operation.recurrent_activation.kind = static_cast<ActivationKind>(bytes.byte() % 27);
          operation.recurrent_activation.alpha = bytes.real();
          break;
      }
    }
    spec.operations.push_back(std::move(operation));
  }
  spec.outputs.push_back(bytes.byte() > 245 ? bytes.number() : spec.features.size() - 1);
  spec.outputs.push_back(bytes.number() % spec.features.size());

  ProgramOptions options;
  options.matrices.isa = batch % 2 == 0 ? best_isa() : Isa::kPortable;
  Refused refused;
  const auto program = Program::make(spec, options, &refused);
  if (program == nullptr) {
    if (refused.code.empty() || refused.message.empty()) __builtin_trap();
    return 0;
  }
  // What is right but large would only be slow.
  uint64_t total = 0;
  for (uint64_t features : spec.features) total += features;
  if (total > 4096) return 0;
  std::vector<std::unique_ptr<float[]>> buffers;
  std::vector<const float*> in;
  std::vector<float*> out;
  for (size_t i = 0; i < program->input_count(); ++i) {
    const size_t length = batch * program->input_features(i);
    buffers.emplace_back(new float[length]);
    for (size_t j = 0; j < length; ++j) buffers.back()[j] = static_cast<float>(j % 7) - 3;
    in.push_back(buffers.back().get());
  }
  for (size_t i = 0; i < program->output_count(); ++i) {
    buffers.emplace_back(new float[batch * program->output_features(i)]);
    out.push_back(buffers.back().get());
  }
  Workspace workspace;
  if (program->prepare(batch)) program->run(workspace, batch, in.data(), out.data());
  return 0;
}
