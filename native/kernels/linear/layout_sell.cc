#include "kernels/by_isa.h"
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "sparse/coded_lanes.h"
#include "sparse/sell.h"

namespace espalier {
namespace {

static_assert(kSellNoRow == kNoLaneRow, "kernels know the lanes without a row by their number");

// On AVX-512 permute-blocks are faster in every case.
constexpr KernelsByIsa<SellKernels> kKernels = {
    {&kSellPortable, ESPALIER_ARM64(kSellNeon), ESPALIER_X64(kSellAvx2), nullptr}};

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

struct SellCost {
  double step, group;
};
constexpr CostByIsa<SellCost> kCosts = {
    // step, group
    {},         // AVX-512 has no kernels
    {2.10, 4},  // AVX2
    {2.4, 5},   // portable
};

double sell_ns(const LayoutRequest& request, const SellCount& count, uint32_t lanes,
               ValueFormat format) {
  const SellCost& cost = kCosts[request.isa];
  const double step = cost.step + kDecodeStep[static_cast<int>(format)];
  const double entry_bytes = 2.0 + value_bytes(format);
  return at_least_reading(request.isa, request.n * (step * count.steps + cost.group * count.groups),
                          entry_bytes * lanes * count.steps, request.cold);
}

std::vector<std::string> names(Isa isa) {
  const SellKernels* kernels = kKernels.find(isa);
  if (kernels == nullptr) return {};
  return {kernels->forms[0].layout};
}

void add(const LayoutRequest& request, std::vector<Candidate>& list) {
  const SellKernels* kernels = kKernels.find(request.isa);
  if (request.n > kSampleMajorMax || kernels == nullptr || request.csr.cols > kSellMostCols) return;
  const SellCount count = count_sell(request.csr, kernels->lanes);
  for (ValueFormat stored : request.formats) {
    const double entry_bytes = 2.0 + value_bytes(stored);
    list.push_back({kernels->forms[static_cast<int>(stored)].layout,
                    sell_ns(request, count, kernels->lanes, stored),
                    entry_bytes * kernels->lanes * count.steps,
                    [csr = request.csr, bias = request.bias, kernels, stored] {
                      return std::make_unique<SellLayout>(csr, bias, *kernels, stored);
                    }});
  }
}

}  // namespace

double sell_step_ns(Isa isa) { return kCosts[isa].step; }

extern const LayoutFamily kSellFamily = {names, add};

}  // namespace espalier
