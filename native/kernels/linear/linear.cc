#include "kernels/linear/linear.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/choice.h"
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "kernels/linear/scalar.h"
#include "sparse/aligned.h"

namespace espalier {
namespace {

// A thread is worth waking for this much work.
constexpr double kPartNs = 8000;

// A prediction is good for some percent, and of a call that is soon over for some nanoseconds:
// dense gives way only to a gain that is clear of both.
constexpr double kClearGain = 0.96;
constexpr double kClearNs = 20;
// Weights that take a good part of the last-level cache share it with whatever else runs, and dense
// ones are read in fewer streams: less is known of those, and a gain of a few bytes is none.
constexpr double kClearFarGain = 0.85;

// Tuning: a layout whose prediction is this much above the best one is not measured; calls a
// layout.
constexpr double kWorthMeasuring = 1.5, kTuneNs = 2e6;
constexpr int kTuneWarmUp = 5, kTuneCalls = 60;

// Batch sizes that share a layout, and the size for which it is chosen.
constexpr int kPanelRegime = kSampleMajorMax;  // the first that lies in panels
constexpr int kRegimes = kPanelRegime + kPanelWidths;
int regime_of(int n) {
  return n <= kSampleMajorMax ? std::max(n, 1) - 1 : kPanelRegime + panel_width_index(n);
}
int regime_size(int i) { return i < kPanelRegime ? i + 1 : kPanelWidth[i - kPanelRegime]; }

class LinearImpl final : public Linear {
 public:
  LinearImpl(Csr&& csr, const float* bias, Activation activation, const LinearOptions& options)
      : isa_(options.isa),
        forced_(options.layout),
        cold_(options.cold),
        tune_(options.tune),
        format_(options.values.has_value() ? *options.values : exact_format(csr.view())),
        activation_(activation),
        csr_(std::move(csr)) {
    if (options.values.has_value()) round_values(csr_, format_);
    nnz_ = csr_.values.size();
    bias_.assign(aligned_values(csr_.rows), 0.0f);
    if (bias != nullptr) std::copy(bias, bias + csr_.rows, bias_.begin());
    const bool fused = is_fused(activation.kind);
    epilogue_ = {bias_.data(), fused ? activation.kind : ActivationKind::kLinear, activation.alpha};
    if (!fused) activate_ = elementwise_kernels(isa_).activate;
  }

  uint32_t rows() const override { return csr_.rows; }
  uint32_t cols() const override { return csr_.cols; }
  size_t nnz() const override { return nnz_; }

  bool prepare(int n) override {
    Regime& regime = regimes_[regime_of(n)];
    if (regime.layout != nullptr) return true;
    try {
      take_back_csr();
      choose(regime_size(regime_of(n)), regime);
      serve_from_nearest();
      leave_csr_to_layout();
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  int parts(int n, int max_parts) const override {
    const Regime& regime = *serving_[regime_of(n)];
    const double worth = std::min<double>(regime.ns / kPartNs, regime.layout->row_blocks().count());
    return std::max(1, std::min(max_parts, static_cast<int>(worth)));
  }

  void run_samples(const float* x, size_t x_stride, float* y, size_t y_stride, int n, int part,
                   int parts) const override {
    const Layout& layout = *serving_[regime_of(n)]->layout;
    const BlockRange blocks = layout.row_blocks().part(part, parts);
    const SampleBatch batch = {x, x_stride, y, y_stride, n};
    if (!layout.run_samples(batch, epilogue_, blocks)) repair_samples(layout, batch, blocks);
    if (activate_ == nullptr) return;
    const RowRange rows = rows_of(layout, blocks);
    for (int s = 0; s < n; ++s) activate_(activation_, y + s * y_stride + rows.begin, rows.count());
  }

  void run_panel(const float* x, size_t ldx, float* y, size_t ldy, int n, int part,
                 int parts) const override {
    const Layout& layout = *serving_[std::max(kPanelRegime, regime_of(n))]->layout;
    const BlockRange blocks = layout.row_blocks().part(part, parts);
    const PanelBatch batch = {x, ldx, y, ldy, n};
    if (!layout.run_panel(batch, epilogue_, blocks)) repair_panel(layout, batch, blocks);
    if (activate_ == nullptr) return;
    const RowRange rows = rows_of(layout, blocks);
    for (uint32_t row = rows.begin; row < rows.end; ++row) activate_(activation_, y + row * ldy, n);
  }

  LinearInfo info(int n) const override {
    LinearInfo info;
    if (serving_[regime_of(n)] == nullptr) return info;
    const Regime& regime = *serving_[regime_of(n)];
    info.layout = regime.layout->name();
    info.kernel = regime.layout->kernel(n);
    info.reason = regime.reason;
    info.predicted_ns = regime.ns;
    info.dense_ns = regime.dense_ns;
    info.measured_ns = regime.measured_ns;
    info.values = kValueFormatNames[static_cast<int>(regime.layout->values())];
    info.bytes = regime.layout->bytes();
    return info;
  }

  size_t bytes() const override {
    size_t total = csr_.row_ptr.size() * sizeof(int32_t) + csr_.values.capacity() * 8 +
                   bias_.size() * sizeof(float);
    for (int i = 0; i < kRegimes; ++i) {
      bool counted =
          regimes_[i].layout == nullptr || regimes_[i].layout->name() == std::string("csr");
      for (int j = 0; j < i; ++j) counted |= regimes_[j].layout == regimes_[i].layout;
      if (!counted) total += regimes_[i].layout->bytes();
    }
    return total;
  }

 private:
  struct RowRange {
    uint32_t begin;
    uint32_t end;
    uint32_t count() const { return end - begin; }
  };

  struct Regime {
    std::shared_ptr<Layout> layout;
    const char* reason = nullptr;
    double ns = 0;
    double dense_ns = 0;
    double measured_ns = 0;
  };

  static RowRange rows_of(const Layout& layout, BlockRange blocks) {
    return {layout.row_blocks().first_row(blocks.begin), layout.row_blocks().first_row(blocks.end)};
  }

  // A matrix without zeros that all regimes run as dense tiles: these say it all, in a third of the
  // memory. Nothing of such a matrix is ever repaired.
  void leave_csr_to_layout() {
    const Layout* keeper = nullptr;
    for (const Regime& regime : regimes_) {
      if (regime.layout == nullptr) continue;
      if (!regime.layout->unpacks()) return;
      keeper = regime.layout.get();
    }
    if (keeper == nullptr) return;
    keeper_ = keeper;
    csr_.col_idx = UnsetVector<int32_t>();
    csr_.values = UnsetVector<float>();
  }
  void take_back_csr() {
    if (keeper_ == nullptr) return;
    UnsetVector<int32_t> col_idx(nnz_);
    UnsetVector<float> values(nnz_);
    keeper_->unpack(col_idx.data(), values.data());
    csr_.col_idx = std::move(col_idx);
    csr_.values = std::move(values);
    keeper_ = nullptr;
  }

  // A forced layout that has no kernel for n is no candidate: then the least cost decides.
  void choose(int n, Regime& regime) const {
    std::vector<Candidate> list =
        candidates(csr_.view(), bias_.data(), isa_, n, cold_, format_, forced_);
    regime.dense_ns = list.front().ns;
    const Candidate* best = nullptr;
    for (const Candidate& candidate : list) {
      if (candidate.forced_by(forced_)) {
        best = &candidate;
        regime.reason = "forced";
        break;
      }
      if (best == nullptr || candidate.robust_ns() < best->robust_ns()) best = &candidate;
    }
    const bool far = !cold_ && n <= kSampleMajorMax &&
                     best->bytes > kFarShare * static_cast<double>(cache_sizes().l3);
    const double clear = far ? kClearFarGain : kClearGain;
    if (regime.reason == nullptr && best->ns > clear * list.front().ns - kClearNs) {
      best = &list.front();
    }
    if (regime.reason == nullptr) {
      regime.reason = best == &list.front() ? "no sparse layout is predicted to be faster"
                                            : "the least predicted cost";
    }
    if (tune_ && forced_.empty()) return tune(list, n, regime);
    regime.ns = best->ns;
    // Regimes share what is packed already.
    for (const Regime& other : regimes_) {
      if (other.layout != nullptr && other.layout->name() == best->name) {
        regime.layout = other.layout;
        return;
      }
    }
    // The plans of the others take memory that packing needs.
    const auto make = best->make;
    list.clear();
    regime.layout = make();
  }

  // Packs and measures all candidates that could be the best, and keeps the fastest.
  void tune(const std::vector<Candidate>& list, int n, Regime& regime) const {
    double least = list.front().ns;
    for (const Candidate& candidate : list) least = std::min(least, candidate.ns);
    for (const Candidate& candidate : list) {
      if (candidate.ns > kWorthMeasuring * least) continue;
      std::shared_ptr<Layout> layout = candidate.make();
      const double ns = measure(*layout, n);
      if (regime.layout != nullptr && ns >= regime.measured_ns) continue;
      regime.layout = std::move(layout);
      regime.ns = candidate.ns;
      regime.measured_ns = ns;
    }
    regime.reason = "measured at load";
    for (const Regime& other : regimes_) {
      if (other.layout != nullptr &&
          std::strcmp(other.layout->name(), regime.layout->name()) == 0) {
        regime.layout = other.layout;
        return;
      }
    }
  }

  // The shortest of some calls with a batch of n.
  double measure(const Layout& layout, int n) const {
    const size_t columns = aligned_values(n);
    const size_t x_stride = aligned_values(csr_.cols), y_stride = bias_.size();
    const bool samples = n <= kSampleMajorMax;
    AlignedVector<float> x(samples ? n * x_stride : columns * csr_.cols, 0.5f);
    AlignedVector<float> y(samples ? n * y_stride : columns * csr_.rows);
    const BlockRange all = {0, layout.row_blocks().count()};
    double best = HUGE_VAL, spent = 0;
    // Writing twice as much as the last-level cache holds pushes the weights out of it.
    std::vector<char> other(cold_ ? 2 * cache_sizes().l3 : 0);
    const int least = kTuneWarmUp + 3, most = cold_ ? least : kTuneCalls;
    for (int call = 0; call < most && (call < least || spent < kTuneNs); ++call) {
      std::fill(other.begin(), other.end(), static_cast<char>(call));
      const auto begin = std::chrono::steady_clock::now();
      if (samples) {
        layout.run_samples({x.data(), x_stride, y.data(), y_stride, n}, epilogue_, all);
      } else {
        layout.run_panel({x.data(), columns, y.data(), columns, n}, epilogue_, all);
      }
      const std::chrono::duration<double, std::nano> time =
          std::chrono::steady_clock::now() - begin;
      spent += time.count();
      if (call >= kTuneWarmUp) best = std::min(best, time.count());
    }
    return best;
  }

  // Batches that nobody prepared for, such as the last few columns of a large one, are served by
  // the next larger regime of their kind that is there, else by the next smaller.
  void serve_from_nearest() {
    for (int i = 0; i < kRegimes; ++i) {
      const int begin = i < kPanelRegime ? 0 : kPanelRegime;
      const int end = i < kPanelRegime ? kPanelRegime : kRegimes;
      serving_[i] = nullptr;
      for (int j = i; j < end && serving_[i] == nullptr; ++j) serving_[i] = prepared(j);
      for (int j = i; j >= begin && serving_[i] == nullptr; --j) serving_[i] = prepared(j);
    }
  }
  const Regime* prepared(int i) const {
    return regimes_[i].layout == nullptr ? nullptr : &regimes_[i];
  }

  // W x + bias of one output over the stored non-zeros only, in the order of the columns.
  float exact(uint32_t row, const float* x, size_t step) const {
    float sum = bias_[row];
    for (int32_t i = csr_.row_ptr[row]; i < csr_.row_ptr[row + 1]; ++i) {
      sum += csr_.values[i] * x[static_cast<size_t>(csr_.col_idx[i]) * step];
    }
    return sum;
  }

  // A kernel that multiplies zeros of its padding met a value that is not finite. The run is
  // repeated without the activation, which may hide such values, and each output that is not finite
  // is computed again from the stored non-zeros. The finite ones keep their bits, so that nothing
  // depends on the split into parts.
  void repair_samples(const Layout& layout, const SampleBatch& batch, BlockRange blocks) const {
    layout.run_samples(batch, {bias_.data(), ActivationKind::kLinear, 0.0f}, blocks);
    const RowRange rows = rows_of(layout, blocks);
    for (int s = 0; s < batch.n; ++s) {
      float* y = batch.y + s * batch.y_stride;
      for (uint32_t row = rows.begin; row < rows.end; ++row) {
        if (!is_finite(y[row])) y[row] = exact(row, batch.x + s * batch.x_stride, 1);
        y[row] = apply_fused(epilogue_.kind, epilogue_.alpha, y[row]);
      }
    }
  }
  void repair_panel(const Layout& layout, const PanelBatch& batch, BlockRange blocks) const {
    layout.run_panel(batch, {bias_.data(), ActivationKind::kLinear, 0.0f}, blocks);
    const RowRange rows = rows_of(layout, blocks);
    for (uint32_t row = rows.begin; row < rows.end; ++row) {
      float* y = batch.y + row * batch.ldy;
      for (int c = 0; c < batch.n; ++c) {
        if (!is_finite(y[c])) y[c] = exact(row, batch.x + c, batch.ldx);
        y[c] = apply_fused(epilogue_.kind, epilogue_.alpha, y[c]);
      }
    }
  }

  Isa isa_;
  std::string forced_;
  bool cold_;
  bool tune_;
  ValueFormat format_;
  Activation activation_;
  Epilogue epilogue_;
  void (*activate_)(Activation, float*, size_t) = nullptr;  // set where the kernels do not fuse it
  Csr csr_;  // without columns and values while keeper_ has them
  size_t nnz_;
  const Layout* keeper_ = nullptr;
  AlignedVector<float> bias_;
  std::array<Regime, kRegimes> regimes_;
  std::array<const Regime*, kRegimes> serving_{};  // the prepared regime that each one runs
};

}  // namespace

std::unique_ptr<Linear> Linear::make(const CsrView& csr, const float* bias, Activation activation,
                                     const LinearOptions& options) {
  try {
    return make(copy_csr(csr), bias, activation, options);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

std::unique_ptr<Linear> Linear::make(Csr&& csr, const float* bias, Activation activation,
                                     const LinearOptions& options) {
  if (!options.layout.empty()) {
    const std::vector<std::string> known = linear_layouts(options.isa);
    if (std::find(known.begin(), known.end(), options.layout) == known.end()) return nullptr;
  }
  try {
    return std::make_unique<LinearImpl>(std::move(csr), bias, activation, options);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

std::vector<std::string> linear_layouts(Isa isa) { return layout_names(isa); }

}  // namespace espalier
