// Softmax over each run of `group` consecutive features.
#include "program/ops/elementwise_operation.h"
#include "program/ops/types.h"

namespace espalier {
namespace {

class Softmax final : public ElementwiseOperation {
 public:
  Softmax(size_t features, size_t group, Isa isa)
      : ElementwiseOperation(features, group, 1.5, isa) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for (size_t f = features.begin; f < features.end; f += unit_) {
        kernels_.softmax(x + f, 1, y + f, 1, unit_, 1);
      }
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; f += unit_) {
      kernels_.softmax(call.input(0).data + f * call.input(0).stride, call.input(0).stride,
                       call.output + f * call.output_stride, call.output_stride, unit_, call.n);
    }
  }
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  require_same_features(context);
  const uint64_t group = spec.sizes[0];
  if (group == 0 || context.output_features % group != 0) {
    refuse_model("the group of " + std::to_string(group) + " does not divide the " +
                 std::to_string(context.output_features) + " features");
  }
  return std::make_unique<Softmax>(context.output_features, group, context.isa);
}

}  // namespace

const OperationType kSoftmaxType = {"softmax", false, {{"group", FieldKind::kSize}}, make};

}  // namespace espalier
