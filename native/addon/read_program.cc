#include "addon/read_program.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "addon/js.h"
#include "kernels/activation.h"
#include "program/operation.h"
#include "sparse/value_format.h"

namespace espalier {
namespace {

constexpr const char* kCode = "INVALID_MODEL";
constexpr uint64_t kMostSize = uint64_t{1} << 40;
constexpr uint32_t kMostElements = 1 << 20;
constexpr uint64_t kProgramVersion = 1;

// VALUE_CODES of src/program/coded.ts, in the order of ValueCode.
constexpr const char* kValueCodes[] = {"F32", "split", "F16", "U16", "U8", "BF16", "I8"};
static_assert(std::size(kValueCodes) == static_cast<size_t>(ValueCode::kInt8) + 1);

// The byte arrays of a coded matrix.
struct CodedPart {
  const char* name;
  ByteSpan CodedCsr::*span;
};
constexpr CodedPart kCodedParts[] = {
    {"runs", &CodedCsr::runs}, {"codes", &CodedCsr::codes}, {"palette", &CodedCsr::palette},
    {"tops", &CodedCsr::tops}, {"high", &CodedCsr::high},   {"scales", &CodedCsr::scales}};

// Arrays whose memory is asked for once no more JavaScript can run.
class Arrays {
 public:
  explicit Arrays(napi_env env) : env_(env) {}

  void floats(napi_value value, std::string parameter, size_t operation, size_t index) {
    floats_.push_back({value, std::move(parameter), operation, index});
  }
  void indices(napi_value value, std::string parameter, size_t operation, size_t index) {
    indices_.push_back({value, std::move(parameter), operation, index});
  }
  void matrix(napi_value row_ptr, napi_value col_idx, napi_value values, std::string parameter,
              size_t operation, size_t index) {
    matrices_.push_back({row_ptr, col_idx, values, std::move(parameter), operation, index});
  }
  void bytes(napi_value value, std::string parameter, ByteSpan CodedCsr::*span, size_t operation,
             size_t index) {
    bytes_.push_back({value, std::move(parameter), span, operation, index});
  }

  void resolve(ProgramSpec& spec) const {
    constexpr js::Sharing kSharing = js::Sharing::kRefused;
    for (const Array& array : floats_) {
      const auto span = js::float_array(env_, array.value, kCode, array.parameter, kSharing);
      spec.operations[array.operation].floats[array.index] = {span.data, span.length};
    }
    for (const Array& array : indices_) {
      const auto span = js::int_array(env_, array.value, kCode, array.parameter, kSharing);
      spec.operations[array.operation].indices[array.index] = {span.data, span.length};
    }
    for (const Bytes& bytes : bytes_) {
      const auto span = js::byte_array(env_, bytes.value, kCode, bytes.parameter, kSharing);
      spec.operations[bytes.operation].matrices[bytes.index].coded.*
          bytes.span = {span.data, span.length};
    }
    for (const MatrixArrays& arrays : matrices_) {
      MatrixSpec& matrix = spec.operations[arrays.operation].matrices[arrays.index];
      const auto row_ptr =
          js::int_array(env_, arrays.row_ptr, kCode, arrays.parameter + ".rowPtr", kSharing);
      const auto col_idx =
          js::int_array(env_, arrays.col_idx, kCode, arrays.parameter + ".colIdx", kSharing);
      const auto values =
          js::float_array(env_, arrays.values, kCode, arrays.parameter + ".values", kSharing);
      matrix.csr.row_ptr = row_ptr.data;
      matrix.csr.col_idx = col_idx.data;
      matrix.csr.values = values.data;
      matrix.row_ptr_length = row_ptr.length;
      matrix.col_idx_length = col_idx.length;
      matrix.values_length = values.length;
    }
  }

 private:
  struct Array {
    napi_value value;
    std::string parameter;
    size_t operation, index;
  };
  struct MatrixArrays {
    napi_value row_ptr, col_idx, values;
    std::string parameter;
    size_t operation, index;
  };
  struct Bytes {
    napi_value value;
    std::string parameter;
    ByteSpan CodedCsr::*span;
    size_t operation, index;
  };
  napi_env env_;
  std::vector<Bytes> bytes_;
  std::vector<Array> floats_;
  std::vector<Array> indices_;
  std::vector<MatrixArrays> matrices_;
};

class Reader {
 public:
  explicit Reader(napi_env env) : env_(env), arrays_(env) {}

  ProgramSpec read(napi_value program) {
    ProgramSpec spec;
    js::integer(env_, get(program, "version", "program"), kCode, "program.version", kProgramVersion,
                kProgramVersion);
    for (napi_value value : list(get(program, "values", "program"), "values")) {
      spec.features.push_back(size(value, "features", "values[]"));
    }
    for (napi_value port : list(get(program, "inputs", "program"), "inputs")) {
      spec.inputs.push_back(size(port, "value", "inputs[]"));
    }
    for (napi_value port : list(get(program, "outputs", "program"), "outputs")) {
      spec.outputs.push_back(size(port, "value", "outputs[]"));
    }
    const auto operations = list(get(program, "operations", "program"), "operations");
    for (size_t i = 0; i < operations.size(); ++i) {
      spec.operations.push_back(operation(operations[i], i));
    }
    arrays_.resolve(spec);
    return spec;
  }

 private:
  napi_value get(napi_value object, const char* name, const std::string& parameter) const {
    return js::property(env_, object, name, kCode, parameter);
  }
  std::vector<napi_value> list(napi_value value, const std::string& parameter) const {
    return js::elements(env_, value, kCode, parameter, kMostElements);
  }
  uint64_t size(napi_value object, const char* name, const std::string& parameter) const {
    return js::integer(env_, get(object, name, parameter), kCode, parameter + "." + name, 0,
                       kMostSize);
  }

  OperationSpec operation(napi_value object, size_t index) {
    std::string where = "operations[" + std::to_string(index) + "]";
    OperationSpec spec;
    spec.type = js::string(env_, get(object, "op", where), kCode, where + ".op");
    spec.name = js::string(env_, get(object, "name", where), kCode, where + ".name");
    where += " (" + spec.type + " " + spec.name + ")";
    const OperationType* type = find_operation_type(spec.type);
    if (type == nullptr) js::refuse(kCode, where + ": there is no such operation");
    if (type->many_inputs) {
      for (napi_value input : list(get(object, "inputs", where), where + ".inputs")) {
        spec.inputs.push_back(js::integer(env_, input, kCode, where + ".inputs[]", 0, kMostSize));
      }
    } else {
      spec.inputs.push_back(size(object, "input", where));
    }
    spec.output = size(object, "output", where);
    for (const Field& field : type->fields) read_field(object, field, where, index, spec);
    return spec;
  }

  void read_field(napi_value object, const Field& field, const std::string& where, size_t index,
                  OperationSpec& spec) {
    const std::string parameter = where + "." + field.name;
    const napi_value value = get(object, field.name, where);
    switch (field.kind) {
      case FieldKind::kSize:
        spec.sizes.push_back(js::integer(env_, value, kCode, parameter, 0, kMostSize));
        break;
      case FieldKind::kFlag:
        spec.sizes.push_back(js::boolean(env_, value, kCode, parameter) ? 1 : 0);
        break;
      case FieldKind::kChoice:
        spec.sizes.push_back(choice(value, field, parameter));
        break;
      case FieldKind::kNumber:
        spec.numbers.push_back(static_cast<float>(js::number(env_, value, kCode, parameter)));
        break;
      case FieldKind::kOptionalFloats:
      case FieldKind::kFloats:
        spec.floats.push_back({});
        if (field.kind == FieldKind::kOptionalFloats && js::is_null(env_, value)) break;
        arrays_.floats(value, parameter, index, spec.floats.size() - 1);
        break;
      case FieldKind::kIndices:
        spec.indices.push_back({});
        arrays_.indices(value, parameter, index, spec.indices.size() - 1);
        break;
      case FieldKind::kMatrix:
        read_matrix(value, parameter, index, spec);
        break;
      case FieldKind::kActivation:
        spec.activation = activation(value, parameter);
        break;
      case FieldKind::kRecurrentActivation:
        spec.recurrent_activation = activation(value, parameter);
        break;
    }
  }

  uint64_t choice(napi_value value, const Field& field, const std::string& parameter) const {
    const std::string name = js::string(env_, value, kCode, parameter);
    std::string known;
    for (size_t i = 0; i < field.choices.size(); ++i) {
      if (name == field.choices[i]) return i;
      known += (known.empty() ? "" : ", ") + std::string(field.choices[i]);
    }
    js::refuse(kCode,
               parameter + ": expected " + known + ", received \"" + name.substr(0, 60) + '"');
  }

  void read_matrix(napi_value value, const std::string& parameter, size_t index,
                   OperationSpec& spec) {
    const std::string format =
        js::string(env_, get(value, "format", parameter), kCode, parameter + ".format");
    if (format != "csr" && format != "coded") {
      js::refuse(kCode,
                 parameter + ".format: expected \"csr\" or \"coded\", received \"" + format + '"');
    }
    MatrixSpec matrix;
    const auto extent = [&](const char* name) {
      return static_cast<uint32_t>(js::integer(env_, get(value, name, parameter), kCode,
                                               parameter + "." + name, 0, INT32_MAX));
    };
    matrix.csr.rows = extent("rows");
    matrix.csr.cols = extent("cols");
    if (format == "coded") {
      read_coded(value, parameter, index, matrix, spec);
      return;
    }
    spec.matrices.push_back(matrix);
    const napi_value row_ptr = get(value, "rowPtr", parameter);
    const napi_value col_idx = get(value, "colIdx", parameter);
    const napi_value values = get(value, "values", parameter);
    arrays_.matrix(row_ptr, col_idx, values, parameter, index, spec.matrices.size() - 1);
  }

  void read_coded(napi_value value, const std::string& parameter, size_t index, MatrixSpec& matrix,
                  OperationSpec& spec) {
    matrix.is_coded = true;
    CodedCsr& coded = matrix.coded;
    coded.rows = matrix.csr.rows;
    coded.cols = matrix.csr.cols;
    coded.nnz =
        js::integer(env_, get(value, "nnz", parameter), kCode, parameter + ".nnz", 0, INT32_MAX);
    coded.bits = static_cast<unsigned>(js::integer(env_, get(value, "bits", parameter), kCode,
                                                   parameter + ".bits", 0, kMostRunBits));
    const std::string dtype =
        js::string(env_, get(value, "dtype", parameter), kCode, parameter + ".dtype");
    const auto* known = std::find(std::begin(kValueCodes), std::end(kValueCodes), dtype);
    if (known == std::end(kValueCodes)) {
      js::refuse(kCode, parameter + ".dtype: there is no coding \"" + dtype.substr(0, 60) + '"');
    }
    coded.code = static_cast<ValueCode>(known - kValueCodes);
    spec.matrices.push_back(matrix);
    for (const CodedPart& part : kCodedParts) {
      arrays_.bytes(get(value, part.name, parameter), parameter + "." + part.name, part.span, index,
                    spec.matrices.size() - 1);
    }
  }

  Activation activation(napi_value value, const std::string& parameter) const {
    const std::string kind =
        js::string(env_, get(value, "kind", parameter), kCode, parameter + ".kind");
    Activation activation;
    int index = 0;
    while (index < kActivationKinds && kind != kActivationNames[index]) ++index;
    if (index == kActivationKinds) {
      js::refuse(kCode, parameter + ".kind: there is no activation \"" + kind + '"');
    }
    activation.kind = static_cast<ActivationKind>(index);
    activation.alpha =
        js::number(env_, get(value, "alpha", parameter), kCode, parameter + ".alpha");
    activation.beta = js::number(env_, get(value, "beta", parameter), kCode, parameter + ".beta");
    return activation;
  }

  napi_env env_;
  Arrays arrays_;
};

const char* kind_name(FieldKind kind) {
  switch (kind) {
    case FieldKind::kSize:
      return "size";
    case FieldKind::kFlag:
      return "flag";
    case FieldKind::kChoice:
      return "choice";
    case FieldKind::kNumber:
      return "number";
    case FieldKind::kFloats:
      return "floats";
    case FieldKind::kOptionalFloats:
      return "optional floats";
    case FieldKind::kIndices:
      return "indices";
    case FieldKind::kMatrix:
      return "matrix";
    case FieldKind::kActivation:
    case FieldKind::kRecurrentActivation:
      return "activation";
  }
  return "";
}

template <typename Names>
Napi::Array name_list(Napi::Env env, const Names& names) {
  const Napi::Array list = Napi::Array::New(env);
  for (const char* name : names) list.Set(list.Length(), name);
  return list;
}

}  // namespace

Napi::Object contract(Napi::Env env) {
  const Napi::Array operations = Napi::Array::New(env);
  for (const OperationType* type : operation_types()) {
    const Napi::Array fields = Napi::Array::New(env);
    for (const Field& field : type->fields) {
      const Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", field.name);
      entry.Set("kind", kind_name(field.kind));
      entry.Set("choices", name_list(env, field.choices));
      fields.Set(fields.Length(), entry);
    }
    const Napi::Object entry = Napi::Object::New(env);
    entry.Set("op", type->name);
    entry.Set("manyInputs", type->many_inputs);
    entry.Set("fields", fields);
    operations.Set(operations.Length(), entry);
  }
  const Napi::Object answer = Napi::Object::New(env);
  answer.Set("operations", operations);
  answer.Set("activations", name_list(env, kActivationNames));
  answer.Set("valueFormats", name_list(env, kValueFormatNames));
  answer.Set("valueCodes", name_list(env, kValueCodes));
  answer.Set("isas", name_list(env, kIsaNames));
  const Napi::Object layouts = Napi::Object::New(env);
  for (Isa isa : kIsas) {
    const Napi::Array names = Napi::Array::New(env);
    for (const std::string& name : linear_layouts(isa)) names.Set(names.Length(), name);
    layouts.Set(isa_name(isa), names);
  }
  answer.Set("layouts", layouts);
  return answer;
}

ProgramSpec read_program(napi_env env, napi_value program) { return Reader(env).read(program); }

}  // namespace espalier
