#include "kernels/linear/layout.h"
#include "sparse/sell.h"

namespace espalier {
namespace {

static_assert(kSellNoRow == kNoLaneRow, "kernels know the lanes without a row by their number");

class SellLayout final : public Layout {
 public:
  SellLayout(const CsrView& csr, const float* bias, const SellKernels& kernels)
      : kernels_(kernels), pack_(pack_sell(csr, kernels.lanes)) {
    row_blocks_ = pack_.row_blocks;
    bias_.assign(pack_.order.size(), 0.0f);
    for (size_t i = 0; i < bias_.size(); ++i) {
      if (pack_.order[i] != kSellNoRow) bias_[i] = bias[pack_.order[i]];
    }
    view_ = {pack_.order.data(), pack_.group_steps.data(), pack_.columns.data(),
             pack_.weights.data(), bias_.data()};
  }

  const char* name() const override { return kernels_.layout; }
  bool serves(int n) const override { return n <= 4; }
  std::string kernel(int) const override { return kernels_.kernel; }
  size_t bytes() const override { return pack_.bytes() + bias_.size() * sizeof(float); }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    return kernels_.samples(view_, epilogue, batch, pack_.row_block_groups[blocks.begin],
                            pack_.row_block_groups[blocks.end]);
  }
  bool run_panel(const PanelBatch&, const Epilogue&, BlockRange) const override { return true; }

 private:
  const SellKernels& kernels_;
  Sell pack_;
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
                                         const SellKernels& kernels) {
  return std::make_unique<SellLayout>(csr, bias, kernels);
}

}  // namespace espalier
