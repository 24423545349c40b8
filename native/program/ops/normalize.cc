// Statistics of a sample's own numbers: y = (x - mean) / sqrt(variance + epsilon) over each group,
// or x / sqrt(mean of x^2 + epsilon), or x / sqrt(max(sum of x^2, epsilon)); then scale and offset.
//
// A group is `rows` rows of `valid` numbers, each of which takes up `stride`: planes of an image
// have room after their pixels, which counts for nothing.
#include <cmath>

#include "kernels/tensor/tensor.h"
#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "sparse/aligned.h"

namespace espalier {
namespace {

// As their names stand in the field "statistic".
enum class Statistic : uint64_t { kStandard, kRootMeanSquare, kUnit };

class Normalize final : public ElementwiseOperation {
 public:
  Normalize(const OperationSpec& spec, const OperationContext& context)
      : ElementwiseOperation(context.output_features, spec.sizes[0] * spec.sizes[2],
                             0.5 + activation_ns(spec.activation.kind), context.isa),
        tensor_(tensor_kernels(context.isa)),
        rows_(spec.sizes[0]),
        valid_(spec.sizes[1]),
        stride_(spec.sizes[2]),
        statistic_(static_cast<Statistic>(spec.sizes[3])),
        epsilon_(spec.numbers[0]),
        activation_(spec.activation) {
    if (spec.floats[0].data == nullptr && spec.floats[1].data == nullptr) return;
    scale_.assign(valid_, 1.0f);
    offset_.assign(valid_, 0.0f);
    const auto copy = [](const FloatsSpec& from, AlignedVector<float>& to) {
      if (from.data != nullptr) std::copy(from.data, from.data + from.length, to.begin());
    };
    copy(spec.floats[0], scale_);
    copy(spec.floats[1], offset_);
  }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for (size_t f = features.begin; f < features.end; f += unit_) run_group(x + f, y + f);
    }
  }

  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; f += unit_) {
      for (int c = 0; c < call.n; c += kLanes) run_columns(call, f, c);
      if (scale_.empty() && activation_.kind == ActivationKind::kLinear) continue;
      for (size_t i = 0; i < rows_ * stride_; ++i) {
        float* y = call.output + (f + i) * call.output_stride;
        if (!scale_.empty()) kernels_.scale_offset(y, scale_[i], offset_[i], y, call.n);
        kernels_.activate(activation_, y, call.n);
      }
    }
  }
  size_t bytes() const override { return (scale_.size() + offset_.size()) * sizeof(float); }

 private:
  static constexpr int kLanes = 16;
  static constexpr size_t kStretch = 128;  // rows of a panel that float32 adds up alone

  double factor(double squares) const {
    const double size = static_cast<double>(rows_) * static_cast<double>(valid_);
    return statistic_ == Statistic::kUnit
               ? 1 / std::sqrt(std::max(squares, static_cast<double>(epsilon_)))
               : 1 / std::sqrt(squares / size + epsilon_);
  }

  void run_group(const float* x, float* y) const {
    const double size = static_cast<double>(rows_) * static_cast<double>(valid_);
    double mean = 0;
    if (statistic_ == Statistic::kStandard) {
      for (size_t r = 0; r < rows_; ++r) mean += tensor_.sum(x + r * stride_, valid_);
      mean /= size;
    }
    const float shift = static_cast<float>(mean);
    double squares = 0;
    for (size_t r = 0; r < rows_; ++r) squares += tensor_.squares(x + r * stride_, shift, valid_);
    squares -= size * (mean - shift) * (mean - shift);
    const double by = factor(std::max(squares, 0.0));
    for (size_t r = 0; r < rows_; ++r) {
      float* row = y + r * stride_;
      tensor_.standardise(x + r * stride_, shift, static_cast<float>(by),
                          static_cast<float>((shift - mean) * by), row, valid_);
      if (!scale_.empty()) kernels_.affine(row, scale_.data(), offset_.data(), row, valid_);
      kernels_.activate(activation_, row, valid_);
    }
  }

  // Calls body(x, rows) for stretches of the features of the group at f, from column c.
  template <typename Body>
  void for_stretches(const OperationCall& call, size_t f, int c, const Body& body) const {
    const size_t ld = call.input(0).stride;
    for (size_t r = 0; r < rows_; ++r) {
      for (size_t i = 0; i < valid_; i += kStretch) {
        const size_t at = f + r * stride_ + i;
        body(at, call.input(0).data + at * ld + c, std::min(kStretch, valid_ - i));
      }
    }
  }

  void run_columns(const OperationCall& call, size_t f, int c) const {
    const size_t ld = call.input(0).stride;
    const double size = static_cast<double>(rows_) * static_cast<double>(valid_);
    double totals[kLanes] = {}, squares[kLanes] = {};
    float shift[kLanes] = {}, by[kLanes], rest[kLanes];
    if (statistic_ == Statistic::kStandard) {
      for_stretches(call, f, c, [&](size_t, const float* x, size_t rows) {
        float sums[kLanes] = {};
        tensor_.column_sums(x, ld, rows, sums);
        for (int l = 0; l < kLanes; ++l) totals[l] += sums[l];
      });
    }
    for (int l = 0; l < kLanes; ++l) shift[l] = static_cast<float>(totals[l] / size);
    for_stretches(call, f, c, [&](size_t, const float* x, size_t rows) {
      float sums[kLanes] = {};
      tensor_.column_squares(x, ld, rows, shift, sums);
      for (int l = 0; l < kLanes; ++l) squares[l] += sums[l];
    });
    for (int l = 0; l < kLanes; ++l) {
      const double off = totals[l] / size - shift[l];
      const double all = factor(std::max(squares[l] - size * off * off, 0.0));
      by[l] = static_cast<float>(all);
      rest[l] = static_cast<float>(-off * all);
    }
    for_stretches(call, f, c, [&](size_t at, const float* x, size_t rows) {
      tensor_.column_standardise(x, ld, rows, shift, by, rest,
                                 call.output + at * call.output_stride + c, call.output_stride);
    });
  }

  const TensorKernels& tensor_;
  size_t rows_;
  size_t valid_;
  size_t stride_;
  Statistic statistic_;
  float epsilon_;
  Activation activation_;
  AlignedVector<float> scale_;  // empty: neither
  AlignedVector<float> offset_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  require_same_features(context);
  const uint64_t rows = spec.sizes[0], valid = spec.sizes[1], stride = spec.sizes[2];
  require_extent(rows, "rows");
  require_extent(valid, "valid");
  require_extent(stride, "stride", valid);
  if (spec.sizes[3] > static_cast<uint64_t>(Statistic::kUnit)) {
    refuse_model("statistic: expected 0 (standard), 1 (root mean square) or 2 (unit)");
  }
  if (!std::isfinite(spec.numbers[0]) || spec.numbers[0] < 0) {
    refuse_model("epsilon must be finite and not negative");
  }
  if (context.output_features % feature_product(rows, stride) != 0) {
    refuse_model("groups of " + std::to_string(rows) + " times " + std::to_string(stride) +
                 " do not divide the " + std::to_string(context.output_features) + " features");
  }
  const char* const names[] = {"scale", "offset"};
  for (size_t i = 0; i < 2; ++i) {
    const FloatsSpec& floats = spec.floats[i];
    if (floats.data == nullptr) continue;
    if (floats.length != valid || rows != 1 || stride != valid) {
      refuse_model(std::string(names[i]) + " needs groups of one row, and as many values");
    }
    require_finite(floats, names[i]);
  }
  return std::make_unique<Normalize>(spec, context);
}

}  // namespace

extern const OperationType kNormalizeType = {
    "normalize",
    false,
    {{"rows", FieldKind::kSize},
     {"valid", FieldKind::kSize},
     {"stride", FieldKind::kSize},
     {"statistic", FieldKind::kChoice, {"standard", "root_mean_square", "unit"}},
     {"epsilon", FieldKind::kNumber},
     {"scale", FieldKind::kOptionalFloats},
     {"offset", FieldKind::kOptionalFloats},
     {"activation", FieldKind::kActivation}},
    make};

}  // namespace espalier
