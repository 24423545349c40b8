#include "kernels/linear/layout.h"
#include "sparse/permute_block.h"

namespace espalier {
namespace {

constexpr uint32_t kMostCols = 1u << 24;  // a block's number has 24 bits
constexpr double kMostCountsPerEntry = 64, kMostGroupedPerEntry = 8, kFewCounts = 1 << 20;

class PermuteBlockLayout final : public Layout {
 public:
  PermuteBlockLayout(const CsrView& csr, const float* bias, uint32_t lanes,
                     const PermuteBlockPlan& plan)
      : form_(*plan.form),
        name_(plan.name),
        pack_(pack_permute_blocks(csr, {lanes, form_.block_cols, form_.lookup_cols}, plan.counts,
                                  plan.order)) {
    if (form_.compressed) compress_permute_blocks(pack_);
    row_blocks_ = pack_.row_blocks;
    bias_.assign(pack_.order.size(), 0.0f);
    for (size_t i = 0; i < bias_.size(); ++i) {
      if (pack_.order[i] != kNoRow) bias_[i] = bias[pack_.order[i]];
    }
    view_ = {csr.rows,
             csr.cols,
             pack_.in_order ? nullptr : pack_.order.data(),
             pack_.group_blocks.data(),
             pack_.group_steps.data(),
             pack_.blocks.data(),
             pack_.indices.data(),
             pack_.weights.data(),
             pack_.masks.data(),
             pack_.group_entries.data(),
             bias_.data()};
  }

  const char* name() const override { return name_.c_str(); }
  bool serves(int n) const override { return n <= 4; }
  std::string kernel(int) const override { return form_.kernel; }
  size_t bytes() const override { return pack_.bytes() + bias_.size() * sizeof(float); }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    return form_.samples(view_, epilogue, batch, pack_.row_block_groups[blocks.begin],
                         pack_.row_block_groups[blocks.end]);
  }
  bool run_panel(const PanelBatch&, const Epilogue&, BlockRange) const override { return true; }

 private:
  PermuteBlockForm form_;
  std::string name_;
  PermuteBlocks pack_;
  AlignedVector<float> bias_;
  PermuteBlockView view_;
};

}  // namespace

const PermuteBlockKernels* permute_block_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return &kPermuteBlockAvx512;
#endif
  (void)isa;
  return nullptr;
}

std::vector<PermuteBlockPlan> plan_permute_blocks(const CsrView& csr, Isa isa) {
  std::vector<PermuteBlockPlan> plans;
  const PermuteBlockKernels* kernels = permute_block_kernels(isa);
  if (kernels == nullptr) return plans;
  for (uint32_t i = 0; i < kernels->form_count; ++i) {
    const PermuteBlockForm& form = kernels->forms[i];
    const double blocks = (static_cast<double>(csr.cols) + form.block_cols - 1) / form.block_cols;
    // Almost empty matrices would spend more on counts of nothing than on their non-zeros.
    if (csr.cols >= kMostCols || csr.rows * blocks > kMostCountsPerEntry * csr.nnz() + kFewCounts) {
      continue;
    }
    const bool worth_grouping = csr.rows * blocks <= kMostGroupedPerEntry * csr.nnz() + kFewCounts;
    PermuteBlockPlan plan;
    plan.form = &form;
    plan.form_index = i;
    plan.lanes = kernels->lanes;
    plan.counts = count_blocks(csr, form.block_cols);
    for (bool grouped : {false, true}) {
      if (grouped && !worth_grouping) break;
      plan.grouped = grouped;
      plan.name = std::string(form.layout) + (grouped ? "g" : "");
      plan.order = grouped ? group_rows_greedily(csr, plan.counts, kernels->lanes)
                           : rows_in_order(csr.rows, kernels->lanes);
      plan.size = count_permute_block(plan.counts, plan.order, kernels->lanes);
      const double steps = static_cast<double>(plan.size.steps);
      plan.bytes = form.compressed ? 5.0 * csr.nnz() + 2.0 * steps : 5.0 * plan.lanes * steps;
      plans.push_back(plan);
    }
  }
  return plans;
}

std::unique_ptr<Layout> make_permute_block_layout(const CsrView& csr, const float* bias, Isa isa,
                                                  const PermuteBlockPlan& plan) {
  return std::make_unique<PermuteBlockLayout>(csr, bias, permute_block_kernels(isa)->lanes, plan);
}

}  // namespace espalier
