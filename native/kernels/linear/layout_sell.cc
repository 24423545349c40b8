#include "kernels/linear/layout.h"
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
    const void* weights = pack_.weights.data();
    samples_ = kernels.samples;
    name_ = kernels.layout;
    kernel_ = kernels.kernel;
    if (format == ValueFormat::kBfloat16) {
      bf16_.resize(pack_.weights.size());
      for (size_t i = 0; i < bf16_.size(); ++i) bf16_[i] = to_bfloat16(pack_.weights[i]);
      weights = bf16_.data();
      samples_ = kernels.samples_bf16;
      name_ = kernels.layout_bf16;
      kernel_ = kernels.kernel_bf16;
    } else if (format == ValueFormat::kInt8) {
      to_int8_weights(csr);
      weights = i8_.data();
      samples_ = kernels.samples_i8;
      name_ = kernels.layout_i8;
      kernel_ = kernels.kernel_i8;
    }
    if (format != ValueFormat::kFloat32) pack_.weights = AlignedVector<float>();
    view_ = {pack_.order.data(),   pack_.group_steps.data(),
             pack_.columns.data(), weights,
             scales_.data(),       bias_.data()};
  }

  const char* name() const override { return name_; }
  bool serves(int n) const override { return n <= 4; }
  std::string kernel(int) const override { return kernel_; }
  size_t bytes() const override {
    return pack_.bytes() + bf16_.size() * 2 + i8_.size() + (scales_.size() + bias_.size()) * 4;
  }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    return samples_(view_, epilogue, batch, pack_.row_block_groups[blocks.begin],
                    pack_.row_block_groups[blocks.end]);
  }
  bool run_panel(const PanelBatch&, const Epilogue&, BlockRange) const override { return true; }

 private:
  // The values are rounded already, so that each is a whole number of the scale of its row.
  void to_int8_weights(const CsrView& csr) {
    scales_.assign(pack_.order.size(), 0.0f);
    i8_.resize(pack_.weights.size());
    for (size_t group = 0; group + 1 < pack_.group_steps.size(); ++group) {
      for (size_t lane = 0; lane < pack_.lanes; ++lane) {
        const uint32_t row = pack_.order[group * pack_.lanes + lane];
        if (row == kSellNoRow) continue;
        const int32_t begin = csr.row_ptr[row];
        const float scale =
            int8_scale(csr.values + begin, static_cast<size_t>(csr.row_ptr[row + 1] - begin));
        scales_[group * pack_.lanes + lane] = scale;
        for (size_t step = pack_.group_steps[group]; step < pack_.group_steps[group + 1]; ++step) {
          const size_t at = step * pack_.lanes + lane;
          i8_[at] = to_int8(pack_.weights[at], scale);
        }
      }
    }
  }

  Sell pack_;
  AlignedVector<uint16_t> bf16_;
  AlignedVector<int8_t> i8_;
  AlignedVector<float> scales_;
  AlignedVector<float> bias_;
  SellView view_;
  decltype(SellKernels::samples) samples_;
  const char* name_;
  const char* kernel_;
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
