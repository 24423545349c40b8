// Depthwise convolution: each channel of a frame gives `multiplier` channels of its own.
#include "kernels/linear/kernels.h"
#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "sparse/aligned.h"

namespace espalier {
namespace {

class Depthwise final : public ImageOperation {
 public:
  Depthwise(const WindowShape& shape, size_t channels, size_t multiplier, const FloatsSpec& weights,
            const FloatsSpec& bias, Activation activation, Isa isa)
      : ImageOperation(channels * multiplier, (0.06 * shape.taps() + 0.1) * shape.out_pixels(), isa,
                       "depthwise_f32"),
        kernels_(image_kernels(isa)),
        elementwise_(elementwise_kernels(isa)),
        multiplier_(multiplier),
        taps_(shape.taps()),
        offsets_(shape.offsets()),
        frame_(shape.frame.floats(shape.framed)),
        window_{static_cast<uint32_t>(taps_),
                offsets_.data(),
                static_cast<uint32_t>(shape.out_height),
                static_cast<uint32_t>(shape.out_width),
                static_cast<uint32_t>(shape.frame.phase_cols()),
                shape.out_plane()},
        pixels_(shape.out_pixels()),
        fused_(is_fused(activation.kind) ? activation : Activation{}),
        activation_(activation),
        weights_(weights.data, weights.data + weights.length),
        bias_(units_, 0.0f) {
    if (bias.data != nullptr) std::copy(bias.data, bias.data + units_, bias_.begin());
  }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      float* y = output(call, s) + channel * window_.out_plane;
      kernels_.weighted(window_, weights_.data() + channel * taps_, bias_[channel], fused_,
                        sample(call, 0, s) + channel / multiplier_ * frame_, y);
      if (!is_fused(activation_.kind)) elementwise_.activate(activation_, y, pixels_);
    });
  }
  size_t bytes() const override { return (weights_.size() + bias_.size()) * sizeof(float); }

 private:
  const ImageKernels& kernels_;
  const ElementwiseKernels& elementwise_;
  size_t multiplier_;
  size_t taps_;
  std::vector<uint32_t> offsets_;
  size_t frame_;
  Window window_;
  size_t pixels_;
  Activation fused_;
  Activation activation_;
  AlignedVector<float> weights_;  // [channels * multiplier][taps]
  AlignedVector<float> bias_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t channels = spec.sizes[0], multiplier = spec.sizes[1];
  require_extent(channels, "channels");
  require_extent(multiplier, "multiplier");
  const WindowShape shape = window_shape(spec.sizes, 2);
  const uint64_t outputs = feature_product(channels, multiplier);
  require_features(context.input_features[0],
                   feature_product(channels, shape.frame.floats(shape.framed)), "input");
  require_features(context.output_features, feature_product(outputs, shape.out_plane()), "output");
  const FloatsSpec& weights = spec.floats[0];
  const FloatsSpec& bias = spec.floats[1];
  if (weights.length != feature_product(outputs, shape.taps())) {
    refuse_model("weights: expected " + std::to_string(outputs * shape.taps()) +
                 " values, received " + std::to_string(weights.length));
  }
  if (bias.data != nullptr && bias.length != outputs) {
    refuse_model("bias: expected " + std::to_string(outputs) + " values, received " +
                 std::to_string(bias.length));
  }
  require_finite(weights, "weights");
  require_finite(bias, "bias");
  return std::make_unique<Depthwise>(shape, channels, multiplier, weights, bias, spec.activation,
                                     context.isa);
}

}  // namespace

extern const OperationType kDepthwiseType = {"depthwise",
                                             false,
                                             {{"channels", FieldKind::kSize},
                                              {"multiplier", FieldKind::kSize},
                                              ESPALIER_WINDOW_FIELDS,
                                              {"weights", FieldKind::kFloats},
                                              {"bias", FieldKind::kOptionalFloats},
                                              {"activation", FieldKind::kActivation}},
                                             make};

}  // namespace espalier
