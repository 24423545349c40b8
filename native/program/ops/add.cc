// y = act(sum of the inputs), in their order.
#include <cstring>

#include "program/ops/elementwise_operation.h"

namespace espalier {
namespace {

class Add final : public ElementwiseOperation {
 public:
  Add(size_t features, size_t inputs, Activation activation, Isa isa)
      : ElementwiseOperation(features, 16, 0.15 * inputs + activation_ns(activation.kind), isa),
        inputs_(inputs),
        activation_(activation) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) run(call, s, features.begin, features.end - features.begin);
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; ++f) run(call, f, 0, call.n);
  }

 private:
  void run(const OperationCall& call, size_t line, size_t begin, size_t n) const {
    float* y = call.output + line * call.output_stride + begin;
    const auto input = [&](size_t i) {
      return call.input(i).data + line * call.input(i).stride + begin;
    };
    std::memcpy(y, input(0), n * sizeof(float));
    for (size_t i = 1; i < inputs_; ++i) kernels_.accumulate(input(i), y, n);
    kernels_.activate(activation_, y, n);
  }

  size_t inputs_;
  Activation activation_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  require_same_features(context);
  if (spec.inputs.size() < 2) refuse_model("must have two inputs or more");
  return std::make_unique<Add>(context.output_features, spec.inputs.size(), spec.activation,
                               context.isa);
}

}  // namespace

extern const OperationType kAddType = {"add", true, {{"activation", FieldKind::kActivation}}, make};

}  // namespace espalier
