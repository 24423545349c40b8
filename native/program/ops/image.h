// Geometry of images, shared by the operations on them. See kernels/image/image.h for how images
// and frames lie.
#ifndef ESPALIER_NATIVE_PROGRAM_OPS_IMAGE_H_
#define ESPALIER_NATIVE_PROGRAM_OPS_IMAGE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/image/image.h"
#include "program/operation.h"
#include "program/refused.h"

namespace espalier {

// No extent of an image is larger: products of two of them fit 64 bits with room to spare.
inline constexpr uint64_t kMostExtent = uint64_t{1} << 30;

inline uint64_t plane_floats(uint64_t pixels) { return aligned_values(pixels); }

inline void require_extent(uint64_t value, const char* name, uint64_t least = 1) {
  if (value >= least && value <= kMostExtent) return;
  refuse_model(std::string(name) + ": expected " + std::to_string(least) + " to " +
               std::to_string(kMostExtent) + ", received " + std::to_string(value));
}

inline void require_features(uint64_t received, uint64_t expected, const char* what) {
  if (received == expected) return;
  refuse_model(std::string("has an ") + what + " of " + std::to_string(received) +
               " features where " + std::to_string(expected) + " are needed");
}

// a * b, or refused: no value of a program has so many features.
inline uint64_t feature_product(uint64_t a, uint64_t b) {
  constexpr uint64_t kMost = uint64_t{1} << 40;
  if (b != 0 && a > kMost / b) refuse_model("has an image of too many features");
  return a * b;
}

// A padded plane of height x width, cut into phases: phase (i, j) holds its rows i, i + stride_y,
// ... and of these the columns j, j + stride_x, ...
struct FrameShape {
  uint64_t height, width;
  uint64_t stride_y, stride_x;

  uint64_t phase_rows() const { return (height + stride_y - 1) / stride_y; }
  uint64_t phase_cols() const { return (width + stride_x - 1) / stride_x; }
  // Of one channel. A frame of stride 1 without slack is a plane (`framed` false).
  uint64_t floats(bool framed) const {
    const uint64_t all =
        feature_product(feature_product(stride_y * stride_x, phase_rows()), phase_cols());
    return framed ? plane_floats(all + kFrameSlack) : plane_floats(all);
  }
  // Where row y and column x of the padded plane lie.
  uint64_t at(uint64_t y, uint64_t x) const {
    const uint64_t phase = y % stride_y * stride_x + x % stride_x;
    return phase * phase_rows() * phase_cols() + y / stride_y * phase_cols() + x / stride_x;
  }
  void check() const {
    require_extent(height, "frameHeight");
    require_extent(width, "frameWidth");
    require_extent(stride_y, "strideY");
    require_extent(stride_x, "strideX");
    feature_product(stride_y, stride_x);
  }
};

// A window of kernel_height x kernel_width taps that slides over a frame.
struct WindowShape {
  FrameShape frame;
  bool framed;
  uint64_t kernel_height, kernel_width;
  uint64_t dilation_y, dilation_x;
  uint64_t out_height, out_width;

  uint64_t taps() const { return feature_product(kernel_height, kernel_width); }
  uint64_t out_pixels() const { return feature_product(out_height, out_width); }
  uint64_t out_plane() const { return plane_floats(out_pixels()); }
  // By tap, row by row of the kernel.
  std::vector<uint32_t> offsets() const {
    std::vector<uint32_t> offsets;
    for (uint64_t y = 0; y < kernel_height; ++y) {
      for (uint64_t x = 0; x < kernel_width; ++x) {
        offsets.push_back(static_cast<uint32_t>(frame.at(y * dilation_y, x * dilation_x)));
      }
    }
    return offsets;
  }
  // The last tap of the last output must lie in the frame.
  void check() const {
    frame.check();
    if (!framed && (frame.stride_y != 1 || frame.stride_x != 1)) {
      refuse_model("reads a plane, which has no strides");
    }
    require_extent(kernel_height, "kernelHeight");
    require_extent(kernel_width, "kernelWidth");
    require_extent(dilation_y, "dilationY");
    require_extent(dilation_x, "dilationX");
    require_extent(out_height, "outHeight");
    require_extent(out_width, "outWidth");
    const auto reach = [](uint64_t out, uint64_t stride, uint64_t kernel, uint64_t dilation) {
      return (out - 1) * stride + (kernel - 1) * dilation + 1;
    };
    if (reach(out_height, frame.stride_y, kernel_height, dilation_y) > frame.height ||
        reach(out_width, frame.stride_x, kernel_width, dilation_x) > frame.width) {
      refuse_model("has windows that reach beyond the frame");
    }
    if (frame.floats(framed) > UINT32_MAX) refuse_model("has a frame of too many pixels");
    if (taps() > 1 << 20) refuse_model("has a kernel of too many taps");
  }
};

// Planes as what works on whole ones sees them: the fields ESPALIER_PLANE_FIELDS.
struct PlanesShape {
  uint64_t channels, pixels, plane;
  uint64_t floats() const { return channels * plane; }
};
inline PlanesShape planes_shape(const OperationSpec& spec) {
  require_extent(spec.sizes[0], "channels");
  require_extent(spec.sizes[1], "pixels");
  const uint64_t plane = plane_floats(spec.sizes[1]);
  feature_product(spec.sizes[0], plane);
  return {spec.sizes[0], spec.sizes[1], plane};
}
#define ESPALIER_PLANE_FIELDS \
  {"channels", FieldKind::kSize}, { "pixels", FieldKind::kSize }

// The fields of program.ts that make up a WindowShape, in this order.
#define ESPALIER_WINDOW_FIELDS                                            \
  {"framed", FieldKind::kFlag}, {"frameHeight", FieldKind::kSize},        \
      {"frameWidth", FieldKind::kSize}, {"strideY", FieldKind::kSize},    \
      {"strideX", FieldKind::kSize}, {"kernelHeight", FieldKind::kSize},  \
      {"kernelWidth", FieldKind::kSize}, {"dilationY", FieldKind::kSize}, \
      {"dilationX", FieldKind::kSize}, {"outHeight", FieldKind::kSize}, { \
    "outWidth", FieldKind::kSize                                          \
  }
inline constexpr size_t kWindowFields = 11;

inline WindowShape window_shape(const std::vector<uint64_t>& sizes, size_t from) {
  const uint64_t* s = sizes.data() + from;
  WindowShape shape = {{s[1], s[2], s[3], s[4]}, s[0] != 0, s[5], s[6], s[7], s[8], s[9], s[10]};
  shape.check();
  return shape;
}

// Operations on images: they take their samples one by one, at any batch size (samples_only), and
// split by units: channels, or panels of pixels.
class ImageOperation : public Operation {
 public:
  ImageOperation(size_t units, double ns_per_unit, Isa isa, const char* kernel)
      : units_(units), ns_per_unit_(ns_per_unit), isa_(isa), kernel_(kernel) {}

  bool samples_only() const override { return true; }
  int parts(int n, int max_parts) const override {
    constexpr double kPartNs = 8000;  // a thread is worth waking for this much
    const double worth = std::min(predicted_ns(n) / kPartNs, static_cast<double>(n * units_));
    return std::max(1, std::min(max_parts, static_cast<int>(worth)));
  }
  void run_panel(const OperationCall&, int, int) const override {}
  double predicted_ns(int n) const override { return 5 + n * ns_per_unit_ * units_; }
  OperationInfo info(int n) const override {
    OperationInfo info;
    info.layout = "none";
    info.kernel = std::string(kernel_) + "_" + isa_name(isa_);
    info.reason = "no sparse form";
    info.predicted_ns = info.dense_ns = predicted_ns(n);
    info.bytes = bytes();
    return info;
  }

 protected:
  // Calls body(sample, unit) for those of a part.
  template <typename Body>
  void for_units(const OperationCall& call, int part, int parts, const Body& body) const {
    const size_t total = call.n * units_;
    const size_t end = total * (part + 1) / parts;
    for (size_t i = total * part / parts; i < end; ++i) {
      body(static_cast<int>(i / units_), i % units_);
    }
  }
  static const float* sample(const OperationCall& call, size_t input, int s) {
    return call.input(input).data + s * call.input(input).stride;
  }
  static float* output(const OperationCall& call, int s) {
    return call.output + s * call.output_stride;
  }

  size_t units_;
  double ns_per_unit_;
  Isa isa_;

 private:
  const char* kernel_;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_OPS_IMAGE_H_
