// y[i] = x[index[i]], or 0 where index[i] is -1: reorders, repeats, cuts and pads. The same for
// each of `repeat` runs of the input and of the output.
#include <algorithm>

#include "program/ops/elementwise_operation.h"

namespace espalier {
namespace {

class Gather final : public ElementwiseOperation {
 public:
  Gather(size_t repeat, size_t in_run, const IndicesSpec& index, Isa isa)
      : ElementwiseOperation(repeat * index.length, 1, 0.6, isa),
        in_run_(in_run),
        out_run_(index.length),
        index_(index.data, index.data + index.length) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for_features(features,
                   [&](size_t to, size_t from, bool zero) { y[to] = zero ? 0.0f : x[from]; });
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    for_features(range(part, parts), [&](size_t to, size_t from, bool zero) {
      float* y = call.output + to * call.output_stride;
      if (zero) {
        std::fill(y, y + call.n, 0.0f);
      } else {
        const float* x = call.input(0).data + from * call.input(0).stride;
        std::copy(x, x + call.n, y);
      }
    });
  }
  size_t bytes() const override { return index_.size() * sizeof(int32_t); }

 private:
  template <typename Body>
  void for_features(FeatureRange features, const Body& body) const {
    size_t run = features.begin / out_run_, i = features.begin % out_run_;
    for (size_t f = features.begin; f < features.end; ++f) {
      const int32_t index = index_[i];
      body(f, run * in_run_ + static_cast<size_t>(std::max(index, 0)), index < 0);
      if (++i == out_run_) i = 0, ++run;
    }
  }

  size_t in_run_;
  size_t out_run_;
  std::vector<int32_t> index_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t repeat = spec.sizes[0];
  const IndicesSpec& index = spec.indices[0];
  if (repeat == 0 || context.input_features[0] % repeat != 0) {
    refuse_model("repeat is " + std::to_string(repeat) + " and does not divide the " +
                 std::to_string(context.input_features[0]) + " features of the input");
  }
  const uint64_t run = context.input_features[0] / repeat;
  if (index.length == 0 || context.output_features % index.length != 0 ||
      context.output_features / index.length != repeat) {
    refuse_model("index has " + std::to_string(index.length) + " values for an output of " +
                 std::to_string(context.output_features) + " features in " +
                 std::to_string(repeat) + " runs");
  }
  for (size_t i = 0; i < index.length; ++i) {
    if (index.data[i] < -1 || (index.data[i] >= 0 && static_cast<uint64_t>(index.data[i]) >= run)) {
      refuse_model("index: expected -1 to " + std::to_string(run - 1) + ", received " +
                   std::to_string(index.data[i]) + " at " + std::to_string(i));
    }
  }
  return std::make_unique<Gather>(repeat, run, index, context.isa);
}

}  // namespace

extern const OperationType kGatherType = {
    "gather", false, {{"repeat", FieldKind::kSize}, {"index", FieldKind::kIndices}}, make};

}  // namespace espalier
