#include "kernels/linear/layout.h"
#include "sparse/short_blocks.h"

namespace espalier {
namespace {

constexpr double kMostCountsPerEntry = 64, kFewCounts = 1 << 20;
constexpr double kWorthSorting = 0.99;

class ShortBlocksLayout final : public Layout {
 public:
  ShortBlocksLayout(const CsrView& csr, const float* bias, const ShortBlocksKernels& kernels,
                    const ShortBlocksPlan& plan)
      : kernels_(kernels), pack_(pack_short_blocks(csr, plan.counts, plan.order)) {
    row_blocks_ = pack_.row_blocks;
    bias_.assign(pack_.order.size(), 0.0f);
    for (size_t i = 0; i < bias_.size(); ++i) {
      if (pack_.order[i] != kNoRow) bias_[i] = bias[pack_.order[i]];
    }
    view_ = {csr.rows,
             pack_.in_order ? nullptr : pack_.order.data(),
             pack_.runs.data(),
             pack_.group_blocks.data(),
             pack_.group_words.data(),
             pack_.group_steps.data(),
             pack_.offsets.data(),
             pack_.words.data(),
             pack_.weights.data(),
             bias_.data()};
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
  const ShortBlocksKernels& kernels_;
  ShortBlocks pack_;
  AlignedVector<float> bias_;
  ShortBlocksView view_;
};

}  // namespace

const ShortBlocksKernels* short_blocks_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return &kShortBlocksAvx2;
#endif
  (void)isa;
  return nullptr;
}

std::optional<ShortBlocksPlan> plan_short_blocks(const CsrView& csr) {
  if (csr.cols < kShortBlockCols || csr.cols > kShortBlockMostCols) return std::nullopt;
  const double blocks = (csr.cols + kShortBlockCols - 1) / kShortBlockCols;
  // Almost empty matrices would spend more on counts of nothing than on their non-zeros.
  if (csr.rows * blocks > kMostCountsPerEntry * csr.nnz() + kFewCounts) return std::nullopt;
  ShortBlocksPlan plan;
  plan.counts = count_blocks(csr, kShortBlockCols);
  plan.order = rows_in_order(csr.rows, kShortBlockLanes);
  plan.size = count_permute_block(plan.counts, plan.order, kShortBlockLanes);
  std::vector<uint32_t> sorted = rows_by_count(csr, kShortBlockLanes);
  const PermuteBlockCount size = count_permute_block(plan.counts, sorted, kShortBlockLanes);
  if (static_cast<double>(size.steps) < kWorthSorting * static_cast<double>(plan.size.steps)) {
    plan.order = std::move(sorted);
    plan.size = size;
  }
  plan.bytes = 34.0 * plan.size.steps + 2.0 * plan.size.blocks + 128.0 * plan.size.groups;
  return plan;
}

std::unique_ptr<Layout> make_short_blocks_layout(const CsrView& csr, const float* bias,
                                                 const ShortBlocksKernels& kernels,
                                                 const ShortBlocksPlan& plan) {
  return std::make_unique<ShortBlocksLayout>(csr, bias, kernels, plan);
}

}  // namespace espalier
