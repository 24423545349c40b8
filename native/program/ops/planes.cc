// Between the user's pixels x channels and the engine's channels x pixels: one operation, both
// ways.
#include "program/ops/image.h"

namespace espalier {
namespace {

constexpr size_t kStrip = 64;  // pixels that are transposed together

class Transpose final : public ImageOperation {
 public:
  Transpose(size_t channels, size_t pixels, bool to_planes, Isa isa)
      : ImageOperation((pixels + kStrip - 1) / kStrip, 0.3 * channels * kStrip, isa,
                       to_planes ? "to_planes_f32" : "to_pixels_f32"),
        kernels_(elementwise_kernels(isa)),
        channels_(channels),
        pixels_(pixels),
        plane_(plane_floats(pixels)),
        to_planes_(to_planes) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t strip) {
      const size_t begin = strip * kStrip;
      const size_t n = std::min(kStrip, pixels_ - begin);
      const float* x = sample(call, 0, s);
      float* y = output(call, s);
      if (to_planes_) {
        kernels_.transpose(x + begin * channels_, channels_, y + begin, plane_, n, channels_);
      } else {
        kernels_.transpose(x + begin, plane_, y + begin * channels_, channels_, channels_, n);
      }
    });
  }

 private:
  const ElementwiseKernels& kernels_;
  size_t channels_;
  size_t pixels_;
  size_t plane_;
  bool to_planes_;
};

template <bool kToPlanes>
std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const PlanesShape size = planes_shape(spec);
  const uint64_t planes = size.floats(), pixels = size.channels * size.pixels;
  require_features(context.input_features[0], kToPlanes ? pixels : planes, "input");
  require_features(context.output_features, kToPlanes ? planes : pixels, "output");
  return std::make_unique<Transpose>(size.channels, size.pixels, kToPlanes, context.isa);
}

}  // namespace

extern const OperationType kToPlanesType = {
    "to_planes", false, {ESPALIER_PLANE_FIELDS}, make<true>};
extern const OperationType kToPixelsType = {
    "to_pixels", false, {ESPALIER_PLANE_FIELDS}, make<false>};

}  // namespace espalier
