// y[p, :] = act(W x[p, :] + b) for each of `positions`.
#include <algorithm>

#include "program/ops/elementwise_operation.h"
#include "program/own_matrix.h"

namespace espalier {
namespace {

// Weights whose dense form is larger are never packed dense.
constexpr uint64_t kMostDenseBytes = uint64_t{2} << 30;

class LinearOperation final : public Operation {
 public:
  LinearOperation(std::unique_ptr<Linear> linear, int positions, Isa isa)
      : linear_(std::move(linear)),
        kernels_(elementwise_kernels(isa)),
        positions_(positions),
        rows_(linear_->rows()),
        cols_(linear_->cols()) {}

  bool prepare(int n) override { return linear_->prepare(columns(n)); }

  int parts(int n, int max_parts) const override {
    if (by_panels(n)) {
      constexpr double kPartNs = 8000;
      const int worth = static_cast<int>(std::min(predicted_ns(n) / kPartNs, 1e6));
      return std::max(1, std::min({max_parts, worth, n * panels()}));
    }
    return linear_->parts(columns(n), max_parts);
  }

  size_t scratch(int n) const override {
    return by_panels(n) ? (size_t{rows_} + cols_) * kPanelColumns : 0;
  }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const Operand& input = call.input(0);
    if (positions_ == 1) {
      linear_->run_samples(input.data, input.stride, call.output, call.output_stride, call.n, part,
                           parts);
      return;
    }
    if (by_panels(call.n)) return run_positions(call, part, parts);
    for (int s = 0; s < call.n; ++s) {
      linear_->run_samples(input.data + s * input.stride, cols_,
                           call.output + s * call.output_stride, rows_, positions_, part, parts);
    }
  }

  void run_panel(const OperationCall& call, int part, int parts) const override {
    const Operand& input = call.input(0);
    for (int p = 0; p < positions_; ++p) {
      linear_->run_panel(input.data + p * cols_ * input.stride, input.stride,
                         call.output + p * rows_ * call.output_stride, call.output_stride, call.n,
                         part, parts);
    }
  }

  double predicted_ns(int n) const override {
    const double calls = by_panels(n)          ? n * panels()
                         : n > kSampleMajorMax ? positions_
                         : positions_ > 1      ? n
                                               : 1;
    return calls * linear_->info(columns(n)).predicted_ns;
  }

  OperationInfo info(int n) const override {
    const LinearInfo chosen = linear_->info(columns(n));
    const double calls = predicted_ns(n) / std::max(chosen.predicted_ns, 1e-9);
    OperationInfo info;
    info.rows = rows_;
    info.cols = cols_;
    info.nnz = linear_->nnz();
    info.layout = chosen.layout;
    info.kernel = chosen.kernel;
    info.reason = chosen.reason;
    info.predicted_ns = calls * chosen.predicted_ns;
    info.dense_ns = calls * chosen.dense_ns;
    info.measured_ns = calls * chosen.measured_ns;
    info.values = chosen.values;
    info.bytes = chosen.bytes;
    return info;
  }
  size_t bytes() const override { return linear_->bytes(); }

 private:
  // Samples of many positions: the positions become the columns of panels.
  bool by_panels(int n) const { return n <= kSampleMajorMax && positions_ > kSampleMajorMax; }
  int panels() const { return (positions_ + kPanelColumns - 1) / kPanelColumns; }
  // What one call of linear_ takes.
  int columns(int n) const {
    if (n > kSampleMajorMax || positions_ == 1) return n;
    return std::min(positions_, kPanelColumns);
  }

  // Parts are whole panels, as each must be transposed.
  void run_positions(const OperationCall& call, int part, int parts) const {
    const int total = call.n * panels();
    float* x = call.scratch;
    float* y = call.scratch + size_t{cols_} * kPanelColumns;
    const int end = static_cast<int>(int64_t{total} * (part + 1) / parts);
    for (int i = static_cast<int>(int64_t{total} * part / parts); i < end; ++i) {
      const int sample = i / panels();
      const int begin = i % panels() * kPanelColumns;
      const int n = std::min(kPanelColumns, positions_ - begin);
      const size_t ld = n <= 16 ? 16 : n <= 32 ? 32 : 64;
      const float* from =
          call.input(0).data + sample * call.input(0).stride + size_t(begin) * cols_;
      kernels_.transpose(from, cols_, x, ld, n, cols_);
      linear_->run_panel(x, ld, y, ld, n, 0, 1);
      float* to = call.output + sample * call.output_stride + size_t(begin) * rows_;
      kernels_.transpose(y, ld, to, rows_, rows_, n);
    }
  }

  std::unique_ptr<Linear> linear_;
  const ElementwiseKernels& kernels_;
  int positions_;
  uint32_t rows_;
  uint32_t cols_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const MatrixSpec& weight = spec.matrices[0];
  const FloatsSpec& bias = spec.floats[0];
  const uint64_t positions = spec.sizes[0];
  const uint64_t rows = weight.csr.rows, cols = weight.csr.cols;
  if (rows == 0 || cols == 0) refuse_model("weight must have a row and a column");
  if (positions == 0 || positions > INT32_MAX) {
    refuse_model("positions must be from 1 to 2147483647");
  }
  const auto require = [&](uint64_t features, uint64_t size, const char* what) {
    if (features == positions * size) return;
    refuse_model("has a weight of " + std::to_string(rows) + " rows and " + std::to_string(cols) +
                 " columns and " + std::to_string(positions) + " positions, but an " + what +
                 " of " + std::to_string(features) + " features");
  };
  require(context.input_features[0], cols, "input");
  require(context.output_features, rows, "output");
  if (bias.data != nullptr && bias.length != rows) {
    refuse_model("bias has " + std::to_string(bias.length) + " values for " + std::to_string(rows) +
                 " rows");
  }
  require_finite(bias, "bias");
  const LinearOptions& options = context.matrices;
  if (options.layout == "dense" && rows * cols * sizeof(float) > kMostDenseBytes) {
    throw Refused{"LIMIT_EXCEEDED", "weight is too large for the dense layout"};
  }
  std::unique_ptr<Linear> linear =
      Linear::make(own_matrix(weight, "weight"), bias.data, spec.activation, options);
  if (linear == nullptr) throw std::bad_alloc();
  return std::make_unique<LinearOperation>(std::move(linear), static_cast<int>(positions),
                                           context.isa);
}

}  // namespace

extern const OperationType kLinearType = {"linear",
                                          false,
                                          {{"positions", FieldKind::kSize},
                                           {"weight", FieldKind::kMatrix},
                                           {"bias", FieldKind::kOptionalFloats},
                                           {"activation", FieldKind::kActivation}},
                                          make};

}  // namespace espalier
