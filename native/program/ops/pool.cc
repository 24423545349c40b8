// Pooling over windows of a frame, whose padding is lowest for the maximum and zero for the mean. A
// window with a NaN in it gives NaN, either way.
#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "sparse/aligned.h"

namespace espalier {
namespace {

class Pool final : public ImageOperation {
 public:
  // scale: empty for the maximum.
  Pool(const WindowShape& shape, size_t channels, const FloatsSpec& scale, Isa isa)
      : ImageOperation(channels, (0.06 * shape.taps() + 0.1) * shape.out_pixels(), isa,
                       scale.data == nullptr ? "max_pool_f32" : "mean_pool_f32"),
        kernels_(image_kernels(isa)),
        offsets_(shape.offsets()),
        frame_(shape.frame.floats(shape.framed)),
        window_{static_cast<uint32_t>(shape.taps()),
                offsets_.data(),
                static_cast<uint32_t>(shape.out_height),
                static_cast<uint32_t>(shape.out_width),
                static_cast<uint32_t>(shape.frame.phase_cols()),
                shape.out_plane()} {
    if (scale.data == nullptr) return;
    scale_.assign(window_.out_plane + kFrameSlack, 0.0f);
    std::copy(scale.data, scale.data + scale.length, scale_.begin());
  }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      const float* x = sample(call, 0, s) + channel * frame_;
      float* y = output(call, s) + channel * window_.out_plane;
      if (scale_.empty()) {
        kernels_.maximum(window_, x, y);
      } else {
        kernels_.scaled_sum(window_, scale_.data(), x, y);
      }
    });
  }
  size_t bytes() const override { return scale_.size() * sizeof(float); }

 private:
  const ImageKernels& kernels_;
  std::vector<uint32_t> offsets_;
  size_t frame_;
  Window window_;
  AlignedVector<float> scale_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t channels = spec.sizes[0];
  require_extent(channels, "channels");
  const WindowShape shape = window_shape(spec.sizes, 1);
  require_features(context.input_features[0],
                   feature_product(channels, shape.frame.floats(shape.framed)), "input");
  require_features(context.output_features, feature_product(channels, shape.out_plane()), "output");
  const FloatsSpec& scale = spec.floats[0];
  if (scale.data != nullptr && scale.length != shape.out_pixels()) {
    refuse_model("scale: expected " + std::to_string(shape.out_pixels()) + " values, received " +
                 std::to_string(scale.length));
  }
  require_finite(scale, "scale");
  return std::make_unique<Pool>(shape, channels, scale, context.isa);
}

}  // namespace

extern const OperationType kPoolType = {
    "pool",
    false,
    {{"channels", FieldKind::kSize}, ESPALIER_WINDOW_FIELDS, {"scale", FieldKind::kOptionalFloats}},
    make};

}  // namespace espalier
