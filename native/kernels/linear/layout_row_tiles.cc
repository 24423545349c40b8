#include "kernels/linear/layout.h"
#include "sparse/row_tiles.h"

namespace espalier {
namespace {

class RowTilesLayout final : public Layout {
 public:
  RowTilesLayout(const CsrView& csr, const RowTileKernels& kernels, const RowTilesPlan& plan)
      : kernels_(kernels),
        name_(plan.name),
        pack_(pack_row_tiles(csr, plan.tile_rows, plan.tile_cols)) {
    row_blocks_ = pack_.row_blocks;
    // A matrix of zeros alone has no entries, and offsets from a null pointer are undefined.
    static constexpr uint16_t kNoColumns[4] = {};
    static constexpr float kNoWeights[4] = {};
    view_ = {pack_.tiles.data(), pack_.runs.data(), pack_.tile_rows.data(),
             pack_.columns.empty() ? kNoColumns : pack_.columns.data(),
             pack_.weights.empty() ? kNoWeights : pack_.weights.data()};
  }

  const char* name() const override { return name_.c_str(); }
  bool serves(int n) const override { return n > 4; }
  std::string kernel(int) const override { return kernels_.kernel; }
  size_t bytes() const override { return pack_.bytes(); }

  bool run_samples(const SampleBatch&, const Epilogue&, BlockRange) const override { return true; }
  bool run_panel(const PanelBatch& batch, const Epilogue& epilogue,
                 BlockRange blocks) const override {
    kernels_.panel(view_, epilogue, batch, pack_.row_block_tiles[blocks.begin],
                   pack_.row_block_tiles[blocks.end]);
    return true;
  }

 private:
  const RowTileKernels& kernels_;
  std::string name_;
  RowTiles pack_;
  RowTilesView view_;
};

}  // namespace

const RowTileKernels& row_tile_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return kRowTilesAvx512;
  if (isa == Isa::kAvx2) return kRowTilesAvx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return kRowTilesNeon;
#endif
  (void)isa;
  return kRowTilesPortable;
}

// Row blocks: enough for a few threads, and large enough that rows of the same count meet and a
// block of the panel is used many times.
RowTilesPlan plan_row_tiles(const CsrView& csr, int n) {
  constexpr uint32_t kMostRows = 512, kLeastRows = 128, kRowBlocks = 4;
  RowTilesPlan plan;
  plan.tile_rows = std::clamp(csr.rows / kRowBlocks, kLeastRows, kMostRows);
  const uint32_t columns = n <= 16 ? 16 : n <= 32 ? 32 : 64;
  // The panel of a tile fills most of the first-level cache. Where rows are so sparse that starting
  // and storing their sums outweighs the few non-zeros of such a tile, it may spill over;
  // and it holds one non-zero of a row at least.
  constexpr double kWorthStarting = 8;  // non-zeros of a row in a tile
  const double cache_cols = static_cast<double>(cache_sizes().l1d) / (columns * sizeof(float));
  const double density = static_cast<double>(csr.nnz()) / (1.0 * csr.rows * csr.cols + 1);
  const double narrow = std::max(16.0, 0.9 * cache_cols);
  const double wide = std::max({narrow, 1.5 * cache_cols, 1 / (density + 1e-9)});
  plan.tile_cols = static_cast<uint32_t>(
      std::min<double>(kMostTileCols, std::clamp(kWorthStarting / (density + 1e-9), narrow, wide)));
  plan.name = "tiles" + std::to_string(columns);
  return plan;
}

std::unique_ptr<Layout> make_row_tiles_layout(const CsrView& csr, Isa isa,
                                              const RowTilesPlan& plan) {
  return std::make_unique<RowTilesLayout>(csr, row_tile_kernels(isa), plan);
}

}  // namespace espalier
