// y[i] = act(x[i] * scale[i % period] + offset[i % period]).
#include "program/ops/elementwise_operation.h"
#include "sparse/aligned.h"

namespace espalier {
namespace {

class Affine final : public ElementwiseOperation {
 public:
  Affine(size_t features, const FloatsSpec& scale, const FloatsSpec& offset, Activation activation,
         Isa isa)
      : ElementwiseOperation(features, scale.length, 0.15 + activation_ns(activation.kind), isa),
        activation_(activation),
        scale_(scale.data, scale.data + scale.length),
        offset_(offset.data, offset.data + offset.length) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for (size_t f = features.begin; f < features.end; f += unit_) {
        kernels_.affine(x + f, scale_.data(), offset_.data(), y + f, unit_);
      }
      kernels_.activate(activation_, y + features.begin, features.end - features.begin);
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    size_t i = 0;  // parts begin with a period
    for (size_t f = features.begin; f < features.end; ++f) {
      float* y = call.output + f * call.output_stride;
      kernels_.scale_offset(call.input(0).data + f * call.input(0).stride, scale_[i], offset_[i], y,
                            call.n);
      kernels_.activate(activation_, y, call.n);
      if (++i == unit_) i = 0;
    }
  }
  size_t bytes() const override { return 2 * unit_ * sizeof(float); }

 private:
  Activation activation_;
  AlignedVector<float> scale_;
  AlignedVector<float> offset_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  require_same_features(context);
  const FloatsSpec& scale = spec.floats[0];
  const FloatsSpec& offset = spec.floats[1];
  if (scale.length != offset.length) {
    refuse_model("scale has " + std::to_string(scale.length) + " values, offset " +
                 std::to_string(offset.length));
  }
  if (scale.length == 0 || context.output_features % scale.length != 0) {
    refuse_model("the " + std::to_string(scale.length) + " values of scale do not divide the " +
                 std::to_string(context.output_features) + " features");
  }
  require_finite(scale, "scale");
  require_finite(offset, "offset");
  return std::make_unique<Affine>(context.output_features, scale, offset, spec.activation,
                                  context.isa);
}

}  // namespace

extern const OperationType kAffineType = {"affine",
                                          false,
                                          {{"scale", FieldKind::kFloats},
                                           {"offset", FieldKind::kFloats},
                                           {"activation", FieldKind::kActivation}},
                                          make};

}  // namespace espalier
