#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "kernels/by_isa.h"
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "sparse/coded_lanes.h"
#include "sparse/short_blocks.h"

namespace espalier {
namespace {

constexpr KernelsByIsa<ShortBlocksKernels> kKernels = {
    {nullptr, nullptr, ESPALIER_X64(kShortBlocksAvx2), nullptr}};

constexpr double kMostCountsPerEntry = 64, kFewCounts = 1 << 20;
constexpr double kWorthSorting = 0.99;

// How many non-zeros of a tail take as long as a step of blocks of 4 and 8 columns, and as starting
// a tail.
constexpr double kStepInTail[2] = {1.6, 2.5};
constexpr double kTailStart = 60;

// The number of steps beyond which the non-zeros of a block are best left to the tail, from a few
// groups of neighbouring rows.
uint32_t best_most_steps(const BlockCounts& counts, uint32_t rows, uint32_t block_cols) {
  constexpr uint32_t kSampledGroups = 8;
  const uint32_t groups = rows / kShortBlockLanes;
  if (groups == 0) return block_cols;
  uint32_t blocks_of[kShortBlockMostBlockCols + 1] = {};   // by steps
  uint32_t entries_of[kShortBlockMostBlockCols + 1] = {};  // the blocks of rows, by non-zeros
  std::vector<uint8_t> longest;
  const uint32_t sampled = std::min(groups, kSampledGroups);
  for (uint32_t i = 0; i < sampled; ++i) {
    uint32_t row[kShortBlockLanes];
    std::iota(row, row + kShortBlockLanes, i * (groups / sampled) * kShortBlockLanes);
    group_longest(counts, row, kShortBlockLanes, longest);
    for (uint8_t steps : longest) ++blocks_of[steps];
    for (uint32_t r : row) {
      for (uint32_t b = 0; b < counts.blocks; ++b) ++entries_of[counts.row(r)[b]];
    }
  }
  const double step = kStepInTail[block_cols == 4 ? 0 : 1];
  uint32_t best = block_cols;
  double least = HUGE_VAL;
  for (uint32_t most = block_cols; most > 0; --most) {
    double cost = most == block_cols ? 0 : kTailStart * sampled;
    for (uint32_t c = 1; c <= block_cols; ++c) {
      cost += step * std::min(c, most) * blocks_of[c];
      if (c > most) cost += static_cast<double>(c - most) * entries_of[c];
    }
    if (cost >= least) continue;
    least = cost;
    best = most;
  }
  return best;
}

class ShortBlocksLayout final : public Layout {
 public:
  ShortBlocksLayout(const CsrView& csr, const float* bias, const ShortBlocksForm& form,
                    ValueFormat format, const ShortBlocksPlan& plan)
      : form_(form), format_(format), pack_(pack_short_blocks(csr, plan)) {
    row_blocks_ = pack_.row_blocks;
    bias_.assign(pack_.order.size(), 0.0f);
    for (size_t i = 0; i < bias_.size(); ++i) {
      if (pack_.order[i] != kNoRow) bias_[i] = bias[pack_.order[i]];
    }
    const void* weights = pack_.weights.data();
    if (format != ValueFormat::kFloat32) {
      coded_ =
          code_lanes(csr, format, kShortBlockLanes, pack_.order, pack_.group_steps, pack_.weights);
      weights = coded_.weights.data();
      pack_.weights = AlignedVector<float>();
    }
    view_ = {csr.rows,
             pack_.in_order ? nullptr : pack_.order.data(),
             pack_.runs.data(),
             pack_.group_blocks.data(),
             pack_.group_words.data(),
             pack_.group_steps.data(),
             pack_.group_tails.data(),
             pack_.tail_columns.data(),
             pack_.offsets.data(),
             pack_.words.data(),
             weights,
             coded_.scales.data(),
             bias_.data()};
  }

  const char* name() const override { return form_.layout; }
  bool serves(int n) const override { return n <= 4; }
  std::string kernel(int) const override { return form_.kernel; }
  size_t bytes() const override {
    return pack_.bytes() + coded_.weights.size() +
           (coded_.scales.size() + bias_.size()) * sizeof(float);
  }
  ValueFormat values() const override { return format_; }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    return form_.samples(view_, epilogue, batch, pack_.row_block_groups[blocks.begin],
                         pack_.row_block_groups[blocks.end]);
  }
  bool run_panel(const PanelBatch&, const Epilogue&, BlockRange) const override { return true; }

 private:
  const ShortBlocksForm& form_;
  ValueFormat format_;
  ShortBlocks pack_;
  CodedLanes coded_;
  AlignedVector<float> bias_;
  ShortBlocksView view_;
};

// Nothing where the matrix has no such form. half: the plan with blocks half as wide, if there is
// one: its counts are not taken again.
std::optional<ShortBlocksPlan> plan_short_blocks(const CsrView& csr, uint32_t block_cols,
                                                 const ShortBlocksPlan* half) {
  if (csr.cols < block_cols || csr.cols > kShortBlockMostCols) return std::nullopt;
  const double blocks = (csr.cols + block_cols - 1) / block_cols;
  // Almost empty matrices would spend more on counts of nothing than on their non-zeros.
  if (csr.rows * blocks > kMostCountsPerEntry * csr.nnz() + kFewCounts) return std::nullopt;
  ShortBlocksPlan plan;
  plan.block_cols = block_cols;
  const bool pairs = half != nullptr && half->block_cols * 2 == block_cols;
  plan.counts = pairs ? pair_blocks(half->counts, csr.rows) : count_blocks(csr, block_cols);
  plan.most_steps = best_most_steps(plan.counts, csr.rows, block_cols);
  if (plan.most_steps < block_cols) {
    plan.tails = row_tails(plan.counts, csr.rows, plan.most_steps);
    plan.order = rows_by_count(csr, kShortBlockLanes, plan.tails);
    count_short_blocks(plan);
    return plan;
  }
  if (pairs && half->tails.empty()) {
    plan.order = half->order;
    count_short_blocks(plan);
    return plan;
  }
  plan.order = rows_in_order(csr.rows, kShortBlockLanes);
  count_short_blocks(plan);
  std::vector<uint32_t> sorted = rows_by_count(csr, kShortBlockLanes);
  const PermuteBlockCount size = count_permute_block(plan.counts, sorted, kShortBlockLanes);
  if (static_cast<double>(size.steps) < kWorthSorting * static_cast<double>(plan.size.steps)) {
    plan.order = std::move(sorted);
    plan.size = size;
  }
  return plan;
}

// About.
double short_blocks_bytes(const ShortBlocksPlan& plan, ValueFormat format) {
  const double step = 8 * (value_bytes(format) + short_block_index_bits(plan.block_cols) / 8.0);
  return step * plan.size.steps + 8 * (value_bytes(format) + 2.0) * plan.tail_steps +
         2.0 * plan.size.blocks + 128.0 * plan.size.groups;
}

struct ShortBlocksCost {
  double step, block, group;
};
// AVX2: blocks of 4 and 8 columns, by samples.
constexpr ShortBlocksCost kCosts[2][kSampleMajorMax] = {
    // step, block, group
    {{0.36, 0.02, 11}, {0.72, 0.10, 14}, {1.22, 0.05, 16}, {1.40, 0.10, 25}},
    {{0.65, 0.02, 14}, {1.20, 0.05, 14}, {1.75, 0.10, 16}, {2.30, 0.15, 25}}};
// Bytes a nanosecond of a short permute-block that lies in the second-level cache.
constexpr double kStreamsRate = 58;
// To start and add up the tail of a group.
constexpr double kTailGroup = 16;
// Of memory, against other layouts: indices and weights advance by amounts that prefetchers do not
// know.
constexpr double kFromMemory = 1.25;

double short_blocks_ns(const LayoutRequest& request, const ShortBlocksPlan& plan,
                       ValueFormat format) {
  const ShortBlocksCost& cost = kCosts[plan.block_cols == 4 ? 0 : 1][request.n - 1];
  const double decode = kDecodeStep[static_cast<int>(format)];
  const double ns = (cost.step + decode) * plan.size.steps + cost.block * plan.size.blocks +
                    cost.group * plan.size.groups;
  // Three streams come slower from the second-level cache than the one of a dense matrix.
  const double bytes = short_blocks_bytes(plan, format);
  const double tail_bytes = 8 * (value_bytes(format) + 2.0) * plan.tail_steps;
  const double streamed = bytes < cache_sizes().l1d ? 0 : (bytes - tail_bytes) / kStreamsRate;
  const double tail_step = sell_step_ns(request.isa) + decode;
  const double tails =
      plan.tail_steps == 0
          ? 0
          : request.n * (tail_step * plan.tail_steps + kTailGroup * plan.size.groups);
  return at_least_reading(request.isa, std::max(ns, streamed) + tails, bytes, request.cold,
                          kFromMemory);
}

std::vector<std::string> names(Isa isa) {
  std::vector<std::string> names;
  if (const ShortBlocksKernels* kernels = kKernels.find(isa)) {
    for (const auto& width : kernels->widths) names.push_back(width.forms[0].layout);
  }
  return names;
}

void add(const LayoutRequest& request, std::vector<Candidate>& list) {
  const ShortBlocksKernels* kernels = kKernels.find(request.isa);
  if (request.n > kSampleMajorMax || kernels == nullptr) return;
  std::shared_ptr<ShortBlocksPlan> half;
  for (const auto& width : kernels->widths) {
    if (found_forced(request, list)) return;
    std::optional<ShortBlocksPlan> counted =
        plan_short_blocks(request.csr, width.block_cols, half.get());
    if (!counted) continue;
    const auto plan = std::make_shared<ShortBlocksPlan>(std::move(*counted));
    half = plan;
    for (ValueFormat stored : request.formats) {
      const ShortBlocksForm& form = width.forms[static_cast<int>(stored)];
      list.push_back({form.layout, short_blocks_ns(request, *plan, stored),
                      short_blocks_bytes(*plan, stored),
                      [csr = request.csr, bias = request.bias, &form, stored, plan] {
                        return std::make_unique<ShortBlocksLayout>(csr, bias, form, stored, *plan);
                      }});
    }
  }
}

}  // namespace

extern const LayoutFamily kShortBlocksFamily = {names, add};

}  // namespace espalier
