// A scale a channel that is itself computed, as in squeeze-and-excite.
#include "program/ops/image.h"

namespace espalier {
namespace {

// y[c, :] = x[c, :] * s[c]: the second input has a value a channel.
class ChannelScale final : public ImageOperation {
 public:
  ChannelScale(const PlanesShape& size, Isa isa)
      : ImageOperation(size.channels, 0.15 * size.pixels, isa, "channel_scale_f32"),
        kernels_(elementwise_kernels(isa)),
        size_(size) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      const size_t at = channel * size_.plane;
      kernels_.scale_offset(sample(call, 0, s) + at, sample(call, 1, s)[channel], 0.0f,
                            output(call, s) + at, size_.pixels);
    });
  }

 private:
  const ElementwiseKernels& kernels_;
  PlanesShape size_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const PlanesShape size = planes_shape(spec);
  if (context.input_features.size() != 2) refuse_model("inputs: expected two");
  require_features(context.input_features[0], size.floats(), "input");
  require_features(context.input_features[1], size.channels, "input");
  require_features(context.output_features, size.floats(), "output");
  return std::make_unique<ChannelScale>(size, context.isa);
}

}  // namespace

extern const OperationType kChannelScaleType = {
    "channel_scale", true, {ESPALIER_PLANE_FIELDS}, make};

}  // namespace espalier
