// A scale and an offset a channel.
#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"

namespace espalier {
namespace {

// y = act(scale[c] * x[c, :] + offset[c]).
class ChannelAffine final : public ImageOperation {
 public:
  ChannelAffine(const PlanesShape& size, const FloatsSpec& scale, const FloatsSpec& offset,
                Activation activation, Isa isa)
      : ImageOperation(size.channels, (0.15 + activation_ns(activation.kind)) * size.pixels, isa,
                       "channel_affine_f32"),
        kernels_(elementwise_kernels(isa)),
        size_(size),
        activation_(activation),
        scale_(scale.data, scale.data + scale.length),
        offset_(offset.data, offset.data + offset.length) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      const size_t at = channel * size_.plane;
      float* y = output(call, s) + at;
      kernels_.scale_offset(sample(call, 0, s) + at, scale_[channel], offset_[channel], y,
                            size_.pixels);
      kernels_.activate(activation_, y, size_.pixels);
    });
  }
  size_t bytes() const override { return (scale_.size() + offset_.size()) * sizeof(float); }

 private:
  const ElementwiseKernels& kernels_;
  PlanesShape size_;
  Activation activation_;
  std::vector<float> scale_;
  std::vector<float> offset_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const PlanesShape size = planes_shape(spec);
  require_same_features(context);
  require_features(context.output_features, size.floats(), "output");
  for (const FloatsSpec& floats : spec.floats) {
    if (floats.length != size.channels) {
      refuse_model("scale and offset: expected " + std::to_string(size.channels) +
                   " values each, received " + std::to_string(floats.length));
    }
  }
  require_finite(spec.floats[0], "scale");
  require_finite(spec.floats[1], "offset");
  return std::make_unique<ChannelAffine>(size, spec.floats[0], spec.floats[1], spec.activation,
                                         context.isa);
}

}  // namespace

extern const OperationType kChannelAffineType = {"channel_affine",
                                                 false,
                                                 {ESPALIER_PLANE_FIELDS,
                                                  {"scale", FieldKind::kFloats},
                                                  {"offset", FieldKind::kFloats},
                                                  {"activation", FieldKind::kActivation}},
                                                 make};

}  // namespace espalier
