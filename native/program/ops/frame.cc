// Planes with their padding around them, in phases: what windows read (kernels/image/image.h).
#include <cstring>
#include <limits>

#include "program/ops/image.h"

namespace espalier {
namespace {

// As their names stand in the field "fill".
enum class Fill : uint64_t { kZero, kLowest };

struct Shape {
  uint64_t channels, height, width;
  uint64_t top, left;   // padding before the first row and column
  uint64_t up_y, up_x;  // an image row goes to every up_y-th row of the padded plane
  FrameShape frame;
};

class Frame final : public ImageOperation {
 public:
  Frame(const Shape& shape, float fill, Isa isa)
      : ImageOperation(shape.channels, 0.12 * shape.frame.floats(true), isa, "frame_f32"),
        shape_(shape),
        fill_(fill),
        in_plane_(plane_floats(shape.height * shape.width)),
        out_plane_(shape.frame.floats(true)) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      const float* x = sample(call, 0, s) + channel * in_plane_;
      float* y = output(call, s) + channel * out_plane_;
      const bool plain = shape_.frame.stride_y == 1 && shape_.frame.stride_x == 1 &&
                         shape_.up_y == 1 && shape_.up_x == 1;
      if (plain) {
        fill_around(y);
      } else {
        std::fill(y, y + out_plane_, fill_);
      }
      for (uint64_t row = 0; row < shape_.height; ++row) {
        copy_row(x + row * shape_.width, shape_.top + row * shape_.up_y, y);
      }
    });
  }

 private:
  // What the image's rows leave of a frame without phases.
  void fill_around(float* y) const {
    const uint64_t width = shape_.frame.width, end = shape_.left + shape_.width;
    float* row = y + shape_.top * width;
    std::fill(y, row, fill_);
    for (uint64_t i = 0; i < shape_.height; ++i, row += width) {
      std::fill(row, row + shape_.left, fill_);
      std::fill(row + end, row + width, fill_);
    }
    std::fill(row, y + out_plane_, fill_);
  }

  // Columns of an image row fall into phases in turn.
  void copy_row(const float* x, uint64_t to_row, float* y) const {
    const uint64_t stride = shape_.frame.stride_x;
    if (stride == 1 && shape_.up_x == 1) {
      std::memcpy(y + shape_.frame.at(to_row, shape_.left), x, shape_.width * sizeof(float));
      return;
    }
    if (shape_.up_x == 1) {
      for (uint64_t phase = 0; phase < std::min(stride, shape_.width); ++phase) {
        float* __restrict to = y + shape_.frame.at(to_row, shape_.left + phase);
        const uint64_t count = (shape_.width - phase + stride - 1) / stride;
        if (stride == 2) {
          for (uint64_t i = 0; i < count; ++i) to[i] = x[phase + 2 * i];
        } else {
          for (uint64_t i = 0; i < count; ++i) to[i] = x[phase + stride * i];
        }
      }
      return;
    }
    for (uint64_t col = 0; col < shape_.width; ++col) {
      y[shape_.frame.at(to_row, shape_.left + col * shape_.up_x)] = x[col];
    }
  }

  Shape shape_;
  float fill_;
  size_t in_plane_;
  size_t out_plane_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t* s = spec.sizes.data();
  const Shape shape = {s[0], s[1], s[2], s[3], s[4], s[5], s[6], {s[7], s[8], s[9], s[10]}};
  require_extent(shape.channels, "channels");
  require_extent(shape.height, "height");
  require_extent(shape.width, "width");
  require_extent(shape.top, "top", 0);
  require_extent(shape.left, "left", 0);
  require_extent(shape.up_y, "upY");
  require_extent(shape.up_x, "upX");
  shape.frame.check();
  if (s[11] > static_cast<uint64_t>(Fill::kLowest)) {
    refuse_model("fill: expected 0 (zero) or 1 (lowest)");
  }
  if (shape.top + (shape.height - 1) * shape.up_y + 1 > shape.frame.height ||
      shape.left + (shape.width - 1) * shape.up_x + 1 > shape.frame.width) {
    refuse_model("has an image that reaches beyond its frame");
  }
  require_features(
      context.input_features[0],
      feature_product(shape.channels, plane_floats(feature_product(shape.height, shape.width))),
      "input");
  require_features(context.output_features,
                   feature_product(shape.channels, shape.frame.floats(true)), "output");
  const float fill =
      static_cast<Fill>(s[11]) == Fill::kZero ? 0.0f : -std::numeric_limits<float>::infinity();
  return std::make_unique<Frame>(shape, fill, context.isa);
}

}  // namespace

extern const OperationType kFrameType = {"frame",
                                         false,
                                         {{"channels", FieldKind::kSize},
                                          {"height", FieldKind::kSize},
                                          {"width", FieldKind::kSize},
                                          {"top", FieldKind::kSize},
                                          {"left", FieldKind::kSize},
                                          {"upY", FieldKind::kSize},
                                          {"upX", FieldKind::kSize},
                                          {"frameHeight", FieldKind::kSize},
                                          {"frameWidth", FieldKind::kSize},
                                          {"strideY", FieldKind::kSize},
                                          {"strideX", FieldKind::kSize},
                                          {"fill", FieldKind::kChoice, {"zero", "lowest"}}},
                                         make};

}  // namespace espalier
