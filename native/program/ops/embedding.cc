// y[p, :] = row x[p] of a table, fractions cut off, for each of `positions`. An index outside of
// the table fails the call.
#include <cmath>

#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "program/own_matrix.h"

namespace espalier {
namespace {

class Embedding final : public ElementwiseOperation {
 public:
  Embedding(size_t positions, Csr table, Isa isa)
      : ElementwiseOperation(positions * table.cols, table.cols, 0.2, isa),
        table_(std::move(table)) {
    // Rows are copied whole where half of them or more is there.
    const size_t all = size_t{table_.rows} * table_.cols;
    nnz_ = table_.values.size();
    if (nnz_ < all / 2) return;
    dense_.assign(all, 0.0f);
    for (uint32_t row = 0; row < table_.rows; ++row) {
      for (int32_t i = table_.row_ptr[row]; i < table_.row_ptr[row + 1]; ++i) {
        dense_[size_t{row} * table_.cols + table_.col_idx[i]] = table_.values[i];
      }
    }
    table_.row_ptr = {};
    table_.col_idx = {};
    table_.values = {};
  }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (int s = 0; s < call.n; ++s) {
      const float* x = call.input(0).data + s * call.input(0).stride;
      for (size_t f = features.begin; f < features.end; f += unit_) {
        write(x[f / unit_], call.output + s * call.output_stride + f, 1, call.fault);
      }
    }
  }
  void run_panel(const OperationCall& call, int part, int parts) const override {
    const FeatureRange features = range(part, parts);
    for (size_t f = features.begin; f < features.end; f += unit_) {
      const float* x = call.input(0).data + f / unit_ * call.input(0).stride;
      float* y = call.output + f * call.output_stride;
      for (int c = 0; c < call.n; ++c) write(x[c], y + c, call.output_stride, call.fault);
    }
  }

  OperationInfo info(int n) const override {
    OperationInfo info = ElementwiseOperation::info(n);
    info.rows = table_.rows;
    info.cols = table_.cols;
    info.nnz = nnz_;
    info.layout = dense_.empty() ? "csr_rows" : "dense_rows";
    info.reason = "rows are looked up";
    return info;
  }
  size_t bytes() const override {
    return dense_.size() * sizeof(float) + (table_.row_ptr.size() + table_.col_idx.size()) * 4 +
           table_.values.size() * sizeof(float);
  }

 private:
  void write(float x, float* y, size_t step, Fault* fault) const {
    const float whole = std::trunc(x);
    if (!(whole >= 0.0f && whole < static_cast<float>(table_.rows))) {
      fault->report(x, table_.rows);
      for (size_t i = 0; i < unit_; ++i) y[i * step] = 0.0f;
      return;
    }
    // Floats just below 2^31 may round up to the number of rows.
    const size_t row = std::min<size_t>(static_cast<size_t>(whole), table_.rows - 1);
    if (!dense_.empty()) {
      const float* from = dense_.data() + row * unit_;
      if (step == 1) {
        std::copy(from, from + unit_, y);
      } else {
        for (size_t i = 0; i < unit_; ++i) y[i * step] = from[i];
      }
      return;
    }
    for (size_t i = 0; i < unit_; ++i) y[i * step] = 0.0f;
    for (int32_t i = table_.row_ptr[row]; i < table_.row_ptr[row + 1]; ++i) {
      y[table_.col_idx[i] * step] = table_.values[i];
    }
  }

  Csr table_;  // rows and cols alone where dense_ holds the numbers
  std::vector<float> dense_;
  size_t nnz_ = 0;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const MatrixSpec& weight = spec.matrices[0];
  const uint64_t positions = spec.sizes[0];
  require_extent(positions, "positions");
  if (weight.csr.rows == 0 || weight.csr.cols == 0)
    refuse_model("weight must have a row and a column");
  require_features(context.input_features[0], positions, "input");
  require_features(context.output_features, feature_product(positions, weight.csr.cols), "output");
  return std::make_unique<Embedding>(positions, own_matrix(weight, "weight"), context.isa);
}

}  // namespace

extern const OperationType kEmbeddingType = {
    "embedding", false, {{"positions", FieldKind::kSize}, {"weight", FieldKind::kMatrix}}, make};

}  // namespace espalier
