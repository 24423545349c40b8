// Between the user's pixels x channels and the engine's channels x pixels, and what works on whole
// planes.
#include <cstring>
#include <limits>

#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "program/ops/types.h"
#include "sparse/aligned.h"

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

struct ImageSize {
  uint64_t channels, pixels, plane;
};
ImageSize image_size(const OperationSpec& spec) {
  require_extent(spec.sizes[0], "channels");
  require_extent(spec.sizes[1], "pixels");
  const uint64_t plane = plane_floats(spec.sizes[1]);
  feature_product(spec.sizes[0], plane);
  return {spec.sizes[0], spec.sizes[1], plane};
}

template <bool kToPlanes>
std::unique_ptr<Operation> make_transpose(const OperationSpec& spec,
                                          const OperationContext& context) {
  const ImageSize size = image_size(spec);
  const uint64_t planes = size.channels * size.plane, pixels = size.channels * size.pixels;
  require_features(context.input_features[0], kToPlanes ? pixels : planes, "input");
  require_features(context.output_features, kToPlanes ? planes : pixels, "output");
  return std::make_unique<Transpose>(size.channels, size.pixels, kToPlanes, context.isa);
}

// The mean or the maximum of each plane: NaN where one of its pixels is.
class GlobalPool final : public ImageOperation {
 public:
  GlobalPool(const ImageSize& size, bool mean, Isa isa)
      : ImageOperation(size.channels, 0.2 * size.pixels, isa, "global_pool_f32"),
        size_(size),
        mean_(mean) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      const float* x = sample(call, 0, s) + channel * size_.plane;
      output(call, s)[channel] = mean_ ? mean(x) : maximum(x);
    });
  }

 private:
  // Sixteen partial sums, by the pixel's number modulo 16, then in order.
  float mean(const float* x) const {
    float sums[16] = {};
    size_t i = 0;
    for (; i + 16 <= size_.pixels; i += 16) {
      for (size_t l = 0; l < 16; ++l) sums[l] += x[i + l];
    }
    for (size_t l = 0; i + l < size_.pixels; ++l) sums[l] += x[i + l];
    float sum = 0;
    for (float partial : sums) sum += partial;
    return sum / static_cast<float>(size_.pixels);
  }
  // Sixteen partial maxima, so that they are computed side by side. A comparison passes some NaNs
  // over, so those are counted apart.
  float maximum(const float* x) const {
    float most[16];
    int32_t nans[16] = {};
    std::fill(most, most + 16, x[0]);
    const auto take = [&](size_t l, float value) {
      most[l] = value > most[l] ? value : most[l];
      nans[l] |= value != value;
    };
    size_t i = 0;
    for (; i + 16 <= size_.pixels; i += 16) {
      for (size_t l = 0; l < 16; ++l) take(l, x[i + l]);
    }
    for (size_t l = 0; i + l < size_.pixels; ++l) take(l, x[i + l]);
    float greatest = most[0];
    for (size_t l = 0; l < 16; ++l) {
      if (nans[l] != 0) return std::numeric_limits<float>::quiet_NaN();
      greatest = most[l] > greatest ? most[l] : greatest;
    }
    return greatest;
  }

  ImageSize size_;
  bool mean_;
};

std::unique_ptr<Operation> make_global_pool(const OperationSpec& spec,
                                            const OperationContext& context) {
  const ImageSize size = image_size(spec);
  if (spec.sizes[2] > 1) refuse_model("mean: expected 0 (maximum) or 1 (mean)");
  require_features(context.input_features[0], size.channels * size.plane, "input");
  require_features(context.output_features, size.channels, "output");
  return std::make_unique<GlobalPool>(size, spec.sizes[2] == 1, context.isa);
}

// y = act(scale[c] * x[c, :] + offset[c]).
class ChannelAffine final : public ImageOperation {
 public:
  ChannelAffine(const ImageSize& size, const FloatsSpec& scale, const FloatsSpec& offset,
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
  ImageSize size_;
  Activation activation_;
  std::vector<float> scale_;
  std::vector<float> offset_;
};

std::unique_ptr<Operation> make_channel_affine(const OperationSpec& spec,
                                               const OperationContext& context) {
  const ImageSize size = image_size(spec);
  require_same_features(context);
  require_features(context.output_features, size.channels * size.plane, "output");
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

// y[c, :] = x[c, :] * s[c]: the second input has a value a channel.
class ChannelScale final : public ImageOperation {
 public:
  ChannelScale(const ImageSize& size, Isa isa)
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
  ImageSize size_;
};

std::unique_ptr<Operation> make_channel_scale(const OperationSpec& spec,
                                              const OperationContext& context) {
  const ImageSize size = image_size(spec);
  if (context.input_features.size() != 2) refuse_model("inputs: expected two");
  require_features(context.input_features[0], size.channels * size.plane, "input");
  require_features(context.input_features[1], size.channels, "input");
  require_features(context.output_features, size.channels * size.plane, "output");
  return std::make_unique<ChannelScale>(size, context.isa);
}

const std::vector<Field> kImageFields = {{"channels", FieldKind::kSize},
                                         {"pixels", FieldKind::kSize}};

}  // namespace

const OperationType kToPlanesType = {"to_planes", false, kImageFields, make_transpose<true>};
const OperationType kToPixelsType = {"to_pixels", false, kImageFields, make_transpose<false>};
const OperationType kGlobalPoolType = {
    "global_pool",
    false,
    {{"channels", FieldKind::kSize}, {"pixels", FieldKind::kSize}, {"mean", FieldKind::kSize}},
    make_global_pool};
const OperationType kChannelAffineType = {"channel_affine",
                                          false,
                                          {{"channels", FieldKind::kSize},
                                           {"pixels", FieldKind::kSize},
                                           {"scale", FieldKind::kFloats},
                                           {"offset", FieldKind::kFloats},
                                           {"activation", FieldKind::kActivation}},
                                          make_channel_affine};
const OperationType kChannelScaleType = {"channel_scale", true, kImageFields, make_channel_scale};

}  // namespace espalier
