// y = a * b, max(a, b), min(a, b) or a / b, elementwise. A NaN in either gives NaN.
#include "program/ops/elementwise_operation.h"

namespace espalier {
namespace {

// As their names stand in the field "kind".
enum class CombineKind : uint64_t { kProduct, kMaximum, kMinimum, kQuotient };

float greater(float a, float b) { return a > b || a != a ? a : b; }
float lesser(float a, float b) { return a < b || a != a ? a : b; }

class Combine final : public ElementwiseOperation {
 public:
  Combine(size_t features, CombineKind kind, Isa isa)
      : ElementwiseOperation(features, 1, 0.2, isa), kind_(kind) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      combine(call.input(0).data + s * call.input(0).stride + features.begin,
              call.input(1).data + s * call.input(1).stride + features.begin,
              call.output + s * call.output_stride + features.begin, features.end - features.begin);
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; ++f) {
      combine(call.input(0).data + f * call.input(0).stride,
              call.input(1).data + f * call.input(1).stride, call.output + f * call.output_stride,
              call.n);
    }
  }

 private:
  void combine(const float* a, const float* b, float* y, size_t n) const {
    switch (kind_) {
      case CombineKind::kProduct:
        for (size_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
        break;
      case CombineKind::kMaximum:
        for (size_t i = 0; i < n; ++i) y[i] = greater(a[i], b[i]);
        break;
      case CombineKind::kMinimum:
        for (size_t i = 0; i < n; ++i) y[i] = lesser(a[i], b[i]);
        break;
      case CombineKind::kQuotient:
        for (size_t i = 0; i < n; ++i) y[i] = a[i] / b[i];
        break;
    }
  }

  CombineKind kind_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  if (context.input_features.size() != 2) refuse_model("inputs: expected two");
  require_same_features(context);
  if (spec.sizes[0] > static_cast<uint64_t>(CombineKind::kQuotient)) {
    refuse_model("kind: expected 0 (product), 1 (maximum), 2 (minimum) or 3 (quotient)");
  }
  return std::make_unique<Combine>(context.output_features, static_cast<CombineKind>(spec.sizes[0]),
                                   context.isa);
}

}  // namespace

extern const OperationType kCombineType = {
    "combine",
    true,
    {{"kind", FieldKind::kChoice, {"product", "maximum", "minimum", "quotient"}}},
    make};

}  // namespace espalier
