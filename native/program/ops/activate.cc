// y = act(x).
#include <cstring>

#include "program/ops/elementwise_operation.h"

namespace espalier {
namespace {

class Activate final : public ElementwiseOperation {
 public:
  Activate(size_t features, Activation activation, Isa isa)
      : ElementwiseOperation(features, 16, 0.1 + activation_ns(activation.kind), isa),
        activation_(activation) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      run(call.input(0).data + s * call.input(0).stride + features.begin,
          call.output + s * call.output_stride + features.begin, features.end - features.begin);
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; ++f) {
      run(call.input(0).data + f * call.input(0).stride, call.output + f * call.output_stride,
          call.n);
    }
  }

 private:
  void run(const float* x, float* y, size_t n) const {
    std::memcpy(y, x, n * sizeof(float));
    kernels_.activate(activation_, y, n);
  }

  Activation activation_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  require_same_features(context);
  return std::make_unique<Activate>(context.output_features, spec.activation, context.isa);
}

}  // namespace

extern const OperationType kActivateType = {
    "activate", false, {{"activation", FieldKind::kActivation}}, make};

}  // namespace espalier
