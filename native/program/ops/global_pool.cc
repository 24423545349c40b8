// The mean or the maximum of each plane: NaN where one of its pixels is.
#include <algorithm>
#include <limits>

#include "program/ops/image.h"

namespace espalier {
namespace {

// As their names stand in the field "kind".
enum class GlobalPoolKind : uint64_t { kMaximum, kMean };

class GlobalPool final : public ImageOperation {
 public:
  GlobalPool(const PlanesShape& size, GlobalPoolKind kind, Isa isa)
      : ImageOperation(size.channels, 0.2 * size.pixels, isa, "global_pool_f32"),
        size_(size),
        kind_(kind) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t channel) {
      const float* x = sample(call, 0, s) + channel * size_.plane;
      output(call, s)[channel] = kind_ == GlobalPoolKind::kMean ? mean(x) : maximum(x);
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

  PlanesShape size_;
  GlobalPoolKind kind_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const PlanesShape size = planes_shape(spec);
  if (spec.sizes[2] > static_cast<uint64_t>(GlobalPoolKind::kMean)) {
    refuse_model("kind: expected 0 (maximum) or 1 (mean)");
  }
  require_features(context.input_features[0], size.floats(), "input");
  require_features(context.output_features, size.channels, "output");
  return std::make_unique<GlobalPool>(size, static_cast<GlobalPoolKind>(spec.sizes[2]),
                                      context.isa);
}

}  // namespace

extern const OperationType kGlobalPoolType = {
    "global_pool",
    false,
    {ESPALIER_PLANE_FIELDS, {"kind", FieldKind::kChoice, {"maximum", "mean"}}},
    make};

}  // namespace espalier
