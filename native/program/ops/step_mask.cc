// Makes a mask: a value of 0 and 1.
#include <cmath>

#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"

namespace espalier {
namespace {

// y[g] = 1 where some x of the group is not `value`, else 0; with `whole`, x without its fraction.
class StepMask final : public ElementwiseOperation {
 public:
  StepMask(size_t steps, size_t group, bool whole, float value, Isa isa)
      : ElementwiseOperation(steps, 1, 0.5 * static_cast<double>(group), isa),
        group_(group),
        whole_(whole),
        value_(value) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange steps = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for (size_t t = steps.begin; t < steps.end; ++t) y[t] = any(x + t * group_, 1);
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange steps = range(part, parts);
    const size_t ld = call.input(0).stride;
    for (size_t t = steps.begin; t < steps.end; ++t) {
      const float* x = call.input(0).data + t * group_ * ld;
      for (int c = 0; c < call.n; ++c) call.output[t * call.output_stride + c] = any(x + c, ld);
    }
  }

 private:
  float any(const float* x, size_t step) const {
    for (size_t i = 0; i < group_; ++i) {
      if ((whole_ ? std::trunc(x[i * step]) : x[i * step]) != value_) return 1.0f;
    }
    return 0.0f;
  }

  size_t group_;
  bool whole_;
  float value_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t group = spec.sizes[0];
  require_extent(group, "group");
  if (spec.sizes[1] > 1) refuse_model("whole: expected 0 or 1");
  require_features(context.input_features[0], feature_product(context.output_features, group),
                   "input");
  return std::make_unique<StepMask>(context.output_features, group, spec.sizes[1] == 1,
                                    spec.numbers[0], context.isa);
}

}  // namespace

extern const OperationType kStepMaskType = {
    "step_mask",
    false,
    {{"group", FieldKind::kSize}, {"whole", FieldKind::kFlag}, {"value", FieldKind::kNumber}},
    make};

}  // namespace espalier
