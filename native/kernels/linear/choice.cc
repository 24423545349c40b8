#include "kernels/linear/choice.h"

#include <algorithm>

#include "kernels/linear/cost_model.h"
#include "kernels/linear/linear.h"
#include "sparse/sell.h"

namespace espalier {

std::vector<Candidate> candidates(const CsrView& csr, const float* bias, Isa isa, int n, bool cold,
                                  ValueFormat format, const std::string& forced) {
  std::vector<Candidate> list;
  list.push_back({"dense", dense_ns(isa, csr.rows, csr.cols, n, cold), 4.0 * csr.rows * csr.cols,
                  [=] { return make_dense_layout(csr, isa); }});
  list.push_back({"csr", csr_ns(isa, csr.rows, csr.nnz(), n, cold), 8.0 * csr.nnz(),
                  [=] { return make_csr_layout(csr); }});
  std::vector<ValueFormat> formats = {ValueFormat::kFloat32};
  if (format != ValueFormat::kFloat32) formats.push_back(format);
  const SellKernels* sell = sell_kernels(isa);
  if (n <= kSampleMajorMax && sell != nullptr && csr.cols <= kSellMostCols) {
    const SellCount count = count_sell(csr, sell->lanes);
    for (ValueFormat stored : formats) {
      const double entry_bytes = 2.0 + value_bytes(stored);
      list.push_back({sell->forms[static_cast<int>(stored)].layout,
                      sell_ns(isa, count, sell->lanes, stored, n, cold),
                      entry_bytes * sell->lanes * count.steps,
                      [=] { return make_sell_layout(csr, bias, *sell, stored); }});
    }
  }
  // AVX-512 has permute-blocks for several samples.
  if (n > kSampleMajorMax || (n > 1 && isa != Isa::kAvx512)) {
    const RowTilesPlan plan = plan_row_tiles(csr, n);
    list.push_back({plan.name, row_tiles_ns(isa, csr.rows, csr.cols, csr.nnz(), plan, n, cold),
                    6.0 * csr.nnz(), [=] { return make_row_tiles_layout(csr, isa, plan); }});
  }
  // What follows is planned to be counted, which takes about as long as packing.
  const auto found = [&] {
    return !forced.empty() &&
           std::any_of(list.begin(), list.end(),
                       [&](const Candidate& candidate) { return candidate.forced_by(forced); });
  };
  if (found()) return list;
  if (n <= kSampleMajorMax) {
    for (PermuteBlockPlan& plan : plan_permute_blocks(csr, isa)) {
      const double ns = permute_block_ns(isa, plan, n, cold);
      const std::string name = plan.name;
      const double bytes = plan.bytes;
      list.push_back(
          {name, ns, bytes, [=, plan = std::make_shared<PermuteBlockPlan>(std::move(plan))] {
             return make_permute_block_layout(csr, bias, isa, *plan);
           }});
    }
  }
  const ShortBlocksKernels* short_blocks = short_blocks_kernels(isa);
  if (n <= kSampleMajorMax && short_blocks != nullptr) {
    std::shared_ptr<ShortBlocksPlan> half;
    for (const auto& width : short_blocks->widths) {
      std::optional<ShortBlocksPlan> counted = plan_short_blocks(csr, width.block_cols, half.get());
      if (!counted) continue;
      const auto plan = std::make_shared<ShortBlocksPlan>(std::move(*counted));
      half = plan;
      for (ValueFormat stored : formats) {
        const ShortBlocksForm& form = width.forms[static_cast<int>(stored)];
        const double bytes = short_blocks_bytes(*plan, stored);
        list.push_back(
            {form.layout, short_blocks_ns(isa, *plan, stored, n, cold), bytes,
             [=, &form] { return make_short_blocks_layout(csr, bias, form, stored, *plan); }});
      }
      if (found()) return list;
    }
  }
  return list;
}

std::vector<std::string> layout_names(Isa isa) {
  std::vector<std::string> names = {"csr", "dense", "tiles"};
  if (const ShortBlocksKernels* kernels = short_blocks_kernels(isa)) {
    for (const auto& width : kernels->widths) names.push_back(width.forms[0].layout);
  }
  if (const SellKernels* kernels = sell_kernels(isa)) names.push_back(kernels->forms[0].layout);
  if (const PermuteBlockKernels* kernels = permute_block_kernels(isa)) {
    for (uint32_t i = 0; i < kernels->form_count; ++i) {
      const PermuteBlockForm& form = kernels->forms[i];
      names.push_back(form.layout);
      names.push_back(std::string(form.layout) + "g");
    }
  }
  return names;
}

}  // namespace espalier
