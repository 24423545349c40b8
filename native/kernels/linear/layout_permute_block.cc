#include "kernels/by_isa.h"
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "sparse/permute_block.h"

namespace espalier {
namespace {

constexpr uint32_t kMostCols = 1u << 24;  // a block's number has 24 bits
constexpr double kMostCountsPerEntry = 64, kMostGroupedPerEntry = 8, kFewCounts = 1 << 20;

constexpr KernelsByIsa<PermuteBlockKernels> kKernels = {
    {nullptr, nullptr, nullptr, ESPALIER_X64(kPermuteBlockAvx512)}};

// A way to pack permute-blocks, counted but not packed.
struct PermuteBlockPlan {
  const PermuteBlockForm* form = nullptr;
  uint32_t form_index = 0;
  uint32_t lanes = 0;
  bool grouped = false;
  std::string name;  // "pb64": rows in order, "pb64g": grouped
  BlockCounts counts;
  std::vector<uint32_t> order;
  PermuteBlockCount size;
  double bytes = 0;  // about
};

class PermuteBlockLayout final : public Layout {
 public:
  PermuteBlockLayout(const CsrView& csr, const float* bias, const PermuteBlockPlan& plan)
      : form_(*plan.form),
        name_(plan.name),
        pack_(pack_permute_blocks(csr, {plan.lanes, form_.block_cols, form_.lookup_cols},
                                  plan.counts, plan.order)) {
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

struct PermuteCost {
  double step, block;
  double group;          // rows in order
  double grouped_group;  // outputs scattered to their rows
};
// AVX-512, by form and samples.
constexpr PermuteCost kCosts[3][kSampleMajorMax] = {
    // step, block, group, grouped_group
    {{1.00, 0.4, 3.2, 7.9}, {1.85, 0.4, 4.7, 18}, {2.80, 1.0, 5.8, 22}, {3.75, 1.2, 6.0, 26}},
    {{0.75, 0.45, 2.6, 6.4}, {1.18, 0.5, 3.7, 15}, {1.59, 0.9, 5.5, 22}, {2.11, 0.9, 8.0, 24}},
    {{2.10, 0.4, 3.2, 7.9}, {2.95, 0.4, 4.7, 18}, {3.80, 1.0, 5.8, 22}, {4.65, 1.2, 6.0, 26}}};

double permute_block_ns(const LayoutRequest& request, const PermuteBlockPlan& plan) {
  const PermuteCost& cost = kCosts[plan.form_index][request.n - 1];
  const double ns = cost.step * plan.size.steps + cost.block * plan.size.blocks +
                    (plan.grouped ? cost.grouped_group : cost.group) * plan.size.groups;
  // The steps of a compressed layout wait for each other, which leaves the memory idle at times.
  return at_least_reading(request.isa, ns, (plan.form->compressed ? 1.3 : 1.0) * plan.bytes,
                          request.cold);
}

std::vector<PermuteBlockPlan> plan_permute_blocks(const CsrView& csr, Isa isa) {
  std::vector<PermuteBlockPlan> plans;
  const PermuteBlockKernels* kernels = kKernels.find(isa);
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

std::vector<std::string> names(Isa isa) {
  std::vector<std::string> names;
  const PermuteBlockKernels* kernels = kKernels.find(isa);
  for (uint32_t i = 0; kernels != nullptr && i < kernels->form_count; ++i) {
    names.push_back(kernels->forms[i].layout);
    names.push_back(std::string(kernels->forms[i].layout) + "g");
  }
  return names;
}

void add(const LayoutRequest& request, std::vector<Candidate>& list) {
  if (request.n > kSampleMajorMax || found_forced(request, list)) return;
  for (PermuteBlockPlan& each : plan_permute_blocks(request.csr, request.isa)) {
    const auto plan = std::make_shared<PermuteBlockPlan>(std::move(each));
    list.push_back({plan->name, permute_block_ns(request, *plan), plan->bytes,
                    [csr = request.csr, bias = request.bias, plan] {
                      return std::make_unique<PermuteBlockLayout>(csr, bias, *plan);
                    }});
  }
}

}  // namespace

extern const LayoutFamily kPermuteBlockFamily = {names, add};

}  // namespace espalier
