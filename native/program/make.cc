// Program::make: the checks. After them nothing that runs looks at a length again.
#include <algorithm>
#include <new>

#include "program/program.h"

namespace espalier {
namespace {

// A program asks for its buffers by its feature counts alone, so these are bounded: so many floats
// for all values of a sample, and for the arena of a panel.
constexpr uint64_t kMostFeatures = uint64_t{1} << 30;
constexpr uint64_t kMostArenaFloats = uint64_t{1} << 30;
constexpr uint64_t kComfortableArenaFloats = uint64_t{1} << 26;
constexpr size_t kMostValues = 1 << 20;

std::string text(uint64_t n) { return std::to_string(n); }

void check_values(const ProgramSpec& spec) {
  if (spec.features.empty() || spec.features.size() > kMostValues) {
    refuse_model("values: expected 1 to " + text(kMostValues) + ", received " +
                 text(spec.features.size()));
  }
  uint64_t total = 0;
  for (size_t v = 0; v < spec.features.size(); ++v) {
    if (spec.features[v] == 0 || spec.features[v] > kMostFeatures) {
      refuse_model("values[" + text(v) + "].features: expected 1 to " + text(kMostFeatures) +
                   ", received " + text(spec.features[v]));
    }
    total += spec.features[v];
  }
  if (total > kMostFeatures) {
    throw Refused{"LIMIT_EXCEEDED", "values: " + text(total) + " features in all are more than " +
                                        text(kMostFeatures)};
  }
}

// Follows the operations: which values are there, and that each is written once.
class Flow {
 public:
  explicit Flow(size_t values) : written_(values, false) {}

  uint32_t write(uint64_t value, const std::string& what) {
    check(value, what);
    if (written_[value]) refuse_model(what + ": value " + text(value) + " is written twice");
    written_[value] = true;
    return static_cast<uint32_t>(value);
  }
  uint32_t read(uint64_t value, const std::string& what) const {
    check(value, what);
    if (!written_[value]) {
      refuse_model(what + ": value " + text(value) + " is not computed by then");
    }
    return static_cast<uint32_t>(value);
  }

 private:
  void check(uint64_t value, const std::string& what) const {
    if (value >= written_.size()) {
      refuse_model(what + ": expected the index of one of " + text(written_.size()) +
                   " values, received " + text(value));
    }
  }
  std::vector<bool> written_;
};

size_t count(const OperationType& type, std::initializer_list<FieldKind> kinds) {
  return static_cast<size_t>(
      std::count_if(type.fields.begin(), type.fields.end(), [&](const Field& field) {
        return std::find(kinds.begin(), kinds.end(), field.kind) != kinds.end();
      }));
}

// Whether the weights of all matrices together, in the smallest of their layouts, leave no room for
// themselves in the last-level cache: then each call reads them from memory.
bool outgrows_caches(const ProgramSpec& spec) {
  double bytes = 0;
  for (const OperationSpec& operation : spec.operations) {
    for (const MatrixSpec& matrix : operation.matrices) {
      const double nnz =
          static_cast<double>(matrix.is_coded ? matrix.coded.nnz : uint64_t{matrix.values_length});
      bytes += std::min(4.0 * matrix.csr.rows * matrix.csr.cols, 6.0 * nnz);
    }
  }
  return bytes > static_cast<double>(cache_sizes().l3);
}

Step make_step(const ProgramSpec& spec, const OperationSpec& operation, size_t index,
               const ProgramOptions& options, Flow& flow) {
  const std::string where =
      "operations[" + text(index) + "] (" + operation.type + " " + operation.name + ")";
  const OperationType* type = find_operation_type(operation.type);
  if (type == nullptr) refuse_model(where + ": there is no such operation");
  if (operation.inputs.empty() || (!type->many_inputs && operation.inputs.size() != 1) ||
      operation.sizes.size() !=
          count(*type, {FieldKind::kSize, FieldKind::kFlag, FieldKind::kChoice}) ||
      operation.numbers.size() != count(*type, {FieldKind::kNumber}) ||
      operation.floats.size() != count(*type, {FieldKind::kFloats, FieldKind::kOptionalFloats}) ||
      operation.indices.size() != count(*type, {FieldKind::kIndices}) ||
      operation.matrices.size() != count(*type, {FieldKind::kMatrix})) {
    refuse_model(where + ": it lacks an input or a field");
  }
  if (static_cast<int>(operation.activation.kind) >= kActivationKinds ||
      static_cast<int>(operation.recurrent_activation.kind) >= kActivationKinds) {
    refuse_model(where + ": there is no such activation");
  }
  Step step;
  step.name = operation.name;
  step.type = type->name;
  OperationContext context;
  for (uint64_t value : operation.inputs) {
    step.inputs.push_back(flow.read(value, where + ".inputs"));
    context.input_features.push_back(spec.features[value]);
  }
  step.output = flow.write(operation.output, where + ".output");
  context.output_features = spec.features[operation.output];
  context.isa = options.matrices.isa;
  context.matrices = options.matrices;
  try {
    step.operation = type->make(operation, context);
  } catch (Refused& refused) {
    refused.message = where + ": " + refused.message;
    throw;
  }
  return step;
}

}  // namespace

std::unique_ptr<Program> Program::make(const ProgramSpec& spec, const ProgramOptions& given,
                                       Refused* refused) {
  ProgramOptions options = given;
  if (outgrows_caches(spec)) options.matrices.cold = true;
  try {
    check_values(spec);
    std::unique_ptr<Program> program(new Program());
    program->features_.assign(spec.features.begin(), spec.features.end());
    Flow flow(spec.features.size());
    if (spec.inputs.empty() || spec.outputs.empty()) {
      refuse_model("a program must have an input and an output");
    }
    for (uint64_t value : spec.inputs) program->inputs_.push_back(flow.write(value, "inputs"));
    for (size_t i = 0; i < spec.operations.size(); ++i) {
      program->steps_.push_back(make_step(spec, spec.operations[i], i, options, flow));
    }
    std::vector<bool> direct(spec.features.size(), true);
    for (uint32_t value : program->inputs_) direct[value] = false;
    for (uint64_t value : spec.outputs) {
      program->outputs_.push_back(flow.read(value, "outputs"));
      program->copied_.push_back(!direct[value]);
      direct[value] = false;
    }
    program->kernels_ = &elementwise_kernels(options.matrices.isa);
    program->pool_ = options.pool;
    program->threads_ =
        options.pool == nullptr ? 1 : std::clamp(options.threads, 1, options.pool->size());
    // Panels are narrower where a wide one would take too much memory.
    const auto arena = [&](int columns) {
      return make_plan(program->features_, program->inputs_, program->outputs_, program->steps_,
                       columns, program->threads_)
          .floats;
    };
    for (const Step& step : program->steps_) {
      if (step.operation->samples_only()) program->panel_columns_ = kSampleMajorMax;
    }
    if (options.reproducible) program->panel_columns_ = 1;
    while (program->panel_columns_ > 16 &&
           arena(program->panel_columns_) > kComfortableArenaFloats) {
      program->panel_columns_ /= 2;
    }
    if (arena(program->panel_columns_) > kMostArenaFloats) {
      throw Refused{"LIMIT_EXCEEDED", "values: its buffers would take more than 4 GiB"};
    }
    return program;
  } catch (Refused& reason) {
    *refused = std::move(reason);
  } catch (const std::bad_alloc&) {
    *refused = {"INTERNAL", "out of memory while loading the program"};
  }
  return nullptr;
}

}  // namespace espalier
