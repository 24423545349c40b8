// The logarithm of softmax over each run of `group` consecutive features.
#include <cmath>

#include "program/ops/elementwise_operation.h"

namespace espalier {
namespace {

// x - max - log(sum of e^(x - max)).
class LogSoftmax final : public ElementwiseOperation {
 public:
  LogSoftmax(size_t features, size_t group, Isa isa)
      : ElementwiseOperation(features, group, 2.0, isa) {}

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      float* y = call.output + s * call.output_stride;
      for (size_t f = features.begin; f < features.end; f += unit_) {
        kernels_.softmax(x + f, 1, y + f, 1, unit_, 1);
        logarithm(x + f, 1, y + f, 1);
      }
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    const size_t ld_x = call.input(0).stride, ld_y = call.output_stride;
    for (size_t f = features.begin; f < features.end; f += unit_) {
      const float* x = call.input(0).data + f * ld_x;
      float* y = call.output + f * ld_y;
      kernels_.softmax(x, ld_x, y, ld_y, unit_, call.n);
      for (int c = 0; c < call.n; ++c) logarithm(x + c, ld_x, y + c, ld_y);
    }
  }

 private:
  // y holds the softmax of x: at the largest x it is 1 over the sum.
  void logarithm(const float* x, size_t ld_x, float* y, size_t ld_y) const {
    size_t top = 0;
    for (size_t i = 1; i < unit_; ++i) {
      if (x[i * ld_x] > x[top * ld_x]) top = i;
    }
    const float most = x[top * ld_x], log_sum = -std::log(y[top * ld_y]);
    for (size_t i = 0; i < unit_; ++i) y[i * ld_y] = (x[i * ld_x] - most) - log_sum;
  }
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  require_groups(spec, context);
  return std::make_unique<LogSoftmax>(context.output_features, spec.sizes[0], context.isa);
}

}  // namespace

extern const OperationType kLogSoftmaxType = {
    "log_softmax", false, {{"group", FieldKind::kSize}}, make};

}  // namespace espalier
