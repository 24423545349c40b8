// Softmax over each run of `group` consecutive features.
#include "program/ops/elementwise_operation.h"

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
  require_groups(spec, context);
  return std::make_unique<Softmax>(context.output_features, spec.sizes[0], context.isa);
}

}  // namespace

extern const OperationType kSoftmaxType = {"softmax", false, {{"group", FieldKind::kSize}}, make};

}  // namespace espalier
