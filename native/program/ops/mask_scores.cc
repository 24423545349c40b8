// Lowers the attention scores of what masks (values of 0 and 1) hide.
#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"

namespace espalier {
namespace {

// Scores [heads, targets, sources]; those that are not seen have -1e9 added, as Keras has it.
class MaskScores final : public ElementwiseOperation {
 public:
  MaskScores(const OperationSpec& spec, const OperationContext& context)
      : ElementwiseOperation(context.output_features, spec.sizes[2], 0.2, context.isa),
        targets_(spec.sizes[1]),
        causal_(spec.sizes[3] == 1),
        query_mask_(spec.sizes[4]),
        value_mask_(spec.sizes[5] == 1 ? 1 + spec.sizes[4] : 0) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const auto mask = [&](size_t input, size_t at) {
        return input == 0 || call.input(input).data[s * call.input(input).stride + at] != 0.0f;
      };
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for (size_t f = features.begin; f < features.end; f += unit_) {
        const size_t target = f / unit_ % targets_;
        const bool row = mask(query_mask_, target);
        for (size_t i = 0; i < unit_; ++i) {
          const bool seen = row && (!causal_ || i <= target) && mask(value_mask_, i);
          y[f + i] = seen ? x[f + i] : x[f + i] + kMasked;
        }
      }
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; ++f) {
      const size_t target = f / unit_ % targets_, source = f % unit_;
      const float* x = call.input(0).data + f * call.input(0).stride;
      float* y = call.output + f * call.output_stride;
      const auto row = [&](size_t input, size_t at) {
        return input == 0 ? nullptr : call.input(input).data + at * call.input(input).stride;
      };
      const float* query = row(query_mask_, target);
      const float* value = row(value_mask_, source);
      for (int c = 0; c < call.n; ++c) {
        const bool seen = (!causal_ || source <= target) &&
                          (query == nullptr || query[c] != 0.0f) &&
                          (value == nullptr || value[c] != 0.0f);
        y[c] = seen ? x[c] : x[c] + kMasked;
      }
    }
  }

 private:
  static constexpr float kMasked = -1e9f;

  size_t targets_;
  bool causal_;
  size_t query_mask_;  // which input; 0: none
  size_t value_mask_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  for (size_t i = 0; i < 3; ++i) require_extent(spec.sizes[i], "heads, targets and sources");
  for (size_t i = 3; i < 6; ++i) {
    if (spec.sizes[i] > 1) refuse_model("causal, queryMask and valueMask: expected 0 or 1");
  }
  const uint64_t features =
      feature_product(feature_product(spec.sizes[0], spec.sizes[1]), spec.sizes[2]);
  const auto& inputs = context.input_features;
  if (inputs.size() != 1 + spec.sizes[4] + spec.sizes[5]) {
    refuse_model("inputs: expected the scores and the masks that queryMask and valueMask tell of");
  }
  require_features(inputs[0], features, "input");
  require_features(context.output_features, features, "output");
  if (spec.sizes[4] == 1) require_features(inputs[1], spec.sizes[1], "input");
  if (spec.sizes[5] == 1) require_features(inputs.back(), spec.sizes[2], "input");
  return std::make_unique<MaskScores>(spec, context);
}

}  // namespace

extern const OperationType kMaskScoresType = {"mask_scores",
                                              true,
                                              {{"heads", FieldKind::kSize},
                                               {"targets", FieldKind::kSize},
                                               {"sources", FieldKind::kSize},
                                               {"causal", FieldKind::kFlag},
                                               {"queryMask", FieldKind::kFlag},
                                               {"valueMask", FieldKind::kFlag}},
                                              make};

}  // namespace espalier
