// Plain CSR: the layout for machines without a better one, and the order of summation that all
// others are measured against.
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "kernels/linear/scalar.h"

namespace espalier {
namespace {

constexpr uint32_t kBlockRows = 16;
constexpr int kColumns = 16;

class CsrLayout final : public Layout {
 public:
  explicit CsrLayout(const CsrView& csr) : csr_(csr) {
    for (uint32_t row = 0; row < csr.rows; row += kBlockRows) {
      const uint32_t end = std::min(csr.rows, row + kBlockRows);
      row_blocks_.add(end, csr.row_ptr[end] - csr.row_ptr[row] + (end - row));
    }
  }

  const char* name() const override { return "csr"; }
  bool serves(int) const override { return true; }
  std::string kernel(int n) const override {
    return n <= 4 ? "spmv_f32_csr_portable" : "spmm_f32_csr_portable";
  }
  // Of the arrays that Linear holds in any case.
  size_t bytes() const override {
    return (size_t{csr_.rows} + 1) * sizeof(int32_t) +
           csr_.nnz() * (sizeof(int32_t) + sizeof(float));
  }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    const uint32_t end = row_blocks_.first_row(blocks.end);
    for (uint32_t row = row_blocks_.first_row(blocks.begin); row < end; ++row) {
      for (int s = 0; s < batch.n; ++s) {
        const float* x = batch.x + s * batch.x_stride;
        // Four chains hide the latency of the additions.
        float sums[4] = {};
        int32_t i = csr_.row_ptr[row];
        const int32_t row_end = csr_.row_ptr[row + 1];
        for (; i + 4 <= row_end; i += 4) {
          for (int c = 0; c < 4; ++c) sums[c] += csr_.values[i + c] * x[csr_.col_idx[i + c]];
        }
        for (; i < row_end; ++i) sums[0] += csr_.values[i] * x[csr_.col_idx[i]];
        const float sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + epilogue.bias[row];
        batch.y[s * batch.y_stride + row] = apply_fused(epilogue.kind, epilogue.alpha, sum);
      }
    }
    return true;
  }

  bool run_panel(const PanelBatch& batch, const Epilogue& epilogue,
                 BlockRange blocks) const override {
    const uint32_t end = row_blocks_.first_row(blocks.end);
    for (uint32_t row = row_blocks_.first_row(blocks.begin); row < end; ++row) {
      for (int column = 0; column < batch.n; column += kColumns) {
        float sums[kColumns];
        for (int c = 0; c < kColumns; ++c) sums[c] = epilogue.bias[row];
        for (int32_t i = csr_.row_ptr[row]; i < csr_.row_ptr[row + 1]; ++i) {
          const float* x = batch.x + static_cast<size_t>(csr_.col_idx[i]) * batch.ldx + column;
          const float w = csr_.values[i];
          for (int c = 0; c < kColumns; ++c) sums[c] += w * x[c];
        }
        float* y = batch.y + static_cast<size_t>(row) * batch.ldy + column;
        for (int c = 0; c < kColumns; ++c) {
          y[c] = apply_fused(epilogue.kind, epilogue.alpha, sums[c]);
        }
      }
    }
    return true;
  }

 private:
  CsrView csr_;
};

double csr_ns(const LayoutRequest& request) {
  const double entries = static_cast<double>(request.csr.nnz());
  const int n = request.n;
  const uint32_t rows = request.csr.rows;
  const double ns =
      n <= 4 ? n * (0.65 * entries + 5.0 * rows) : (n + 15) / 16 * (1.5 * entries + 6.0 * rows);
  return at_least_reading(request.isa, ns, 8 * entries, request.cold);
}

std::vector<std::string> names(Isa) { return {"csr"}; }

void add(const LayoutRequest& request, std::vector<Candidate>& list) {
  list.push_back({"csr", csr_ns(request), 8.0 * request.csr.nnz(),
                  [csr = request.csr] { return std::make_unique<CsrLayout>(csr); }});
}

}  // namespace

extern const LayoutFamily kCsrFamily = {names, add};

}  // namespace espalier
