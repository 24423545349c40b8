#include "kernels/linear/layout.h"
#include "sparse/coded_lanes.h"
#include "sparse/sell.h"

namespace espalier {
namespace {

static_assert(kSellNoRow == kNoLaneRow, "kernels know the lanes without a row by their number");

class SellLayout final : public Layout {
 public:
  SellLayout(const CsrView& csr, const float* bias, const SellKernels& kernels, ValueFormat format)
      : pack_(pack_sell(csr, kernels.lanes)) {
    row_blocks_ = pack_.row_blocks;
    bias_.assign(pack_.order.size(), 0.0f);
    for (size_t i = 0; i < bias_.size(); ++i) {
      if (pack_.order[i] != kSellNoRow) bias_[i] = bias[pack_.order[i]];
    }
    format_ = format;
    form_ = &kernels.forms[static_cast<int>(format)];
    const void* weights = pack_.weights.data();
    if (format != ValueFormat::kFloat32) {
      coded_ = code_lanes(csr, format, pack_.lanes, pack_.order, pack_.group_steps, pack_.weights);
      weights = coded_.weights.data();
      pack_.weights = AlignedVector<float>();
    }
    view_ = {pack_.order.data(),   pack_.group_steps.data(),
             pack_.columns.data(), weights,
             coded_.scales.data(), bias_.data()};
  }

  const char* name() const override { return form_->layout; }
  bool serves(int n) const override { return n <= 4; }
  std::string kernel(int) const override { return form_->kernel; }
  size_t bytes() const override {
    return pack_.bytes() + coded_.weights.size() + (coded_.scales.size() + bias_.size()) * 4;
  }

  ValueFormat values() const override { return format_; }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    return form_->samples(view_, epilogue, batch, pack_.row_block_groups[blocks.begin],
                          pack_.row_block_groups[blocks.end]);
  }
  bool run_panel(const PanelBatch&, const Epilogue&, BlockRange) const override { return true; }

 private:
  Sell pack_;
  ValueFormat format_;
  const SellForm* form_;
  CodedLanes coded_;
  AlignedVector<float> bias_;
  SellView view_;
};

}  // namespace

const SellKernels* sell_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return nullptr;  // permute-block is faster in every case
  if (isa == Isa::kAvx2) return &kSellAvx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return &kSellNeon;
#endif
  return isa == Isa::kPortable ? &kSellPortable : nullptr;
}

std::unique_ptr<Layout> make_sell_layout(const CsrView& csr, const float* bias,
                                         const SellKernels& kernels, ValueFormat format) {
  return std::make_unique<SellLayout>(csr, bias, kernels, format);
}

}  // namespace espalier
