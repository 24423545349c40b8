// For each of `outer` runs: the next features / outer numbers of each input, one after the other.
#include <cstring>

#include "program/ops/elementwise_operation.h"

namespace espalier {
namespace {

class Concat final : public ElementwiseOperation {
 public:
  // runs: of each input.
  Concat(size_t features, size_t outer, std::vector<size_t> runs, Isa isa)
      : ElementwiseOperation(features, features / outer, 0.1, isa), runs_(std::move(runs)) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      float* y = call.output + s * call.output_stride + features.begin;
      for (size_t o = features.begin / unit_; o * unit_ < features.end; ++o) {
        for (size_t i = 0; i < runs_.size(); ++i) {
          const Operand& input = call.input(i);
          std::memcpy(y, input.data + s * input.stride + o * runs_[i], runs_[i] * sizeof(float));
          y += runs_[i];
        }
      }
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    float* y = call.output + features.begin * call.output_stride;
    for (size_t o = features.begin / unit_; o * unit_ < features.end; ++o) {
      for (size_t i = 0; i < runs_.size(); ++i) {
        const Operand& input = call.input(i);
        for (size_t f = 0; f < runs_[i]; ++f, y += call.output_stride) {
          std::memcpy(y, input.data + (o * runs_[i] + f) * input.stride, call.n * sizeof(float));
        }
      }
    }
  }

 private:
  std::vector<size_t> runs_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t outer = spec.sizes[0];
  if (outer == 0) refuse_model("outer must be at least 1");
  uint64_t total = 0;
  std::vector<size_t> runs;
  for (uint64_t features : context.input_features) {
    if (features % outer != 0) {
      refuse_model("outer is " + std::to_string(outer) + " and does not divide the " +
                   std::to_string(features) + " features of an input");
    }
    total += features;
    runs.push_back(features / outer);
  }
  if (total != context.output_features) {
    refuse_model("has inputs of " + std::to_string(total) + " features in all and an output of " +
                 std::to_string(context.output_features));
  }
  return std::make_unique<Concat>(context.output_features, outer, std::move(runs), context.isa);
}

}  // namespace

extern const OperationType kConcatType = {"concat", true, {{"outer", FieldKind::kSize}}, make};

}  // namespace espalier
