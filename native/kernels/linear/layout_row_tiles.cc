#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "kernels/by_isa.h"
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "kernels/values.h"
#include "sparse/row_tiles.h"

namespace espalier {
namespace {

constexpr KernelsByIsa<RowTileKernels> kKernels = {
    {&kRowTilesPortable, ESPALIER_ARM64(kRowTilesNeon), ESPALIER_X64(kRowTilesAvx2),
     ESPALIER_X64(kRowTilesAvx512)}};

struct RowTilesPlan {
  std::string name;  // "tiles8", "tiles16", "tiles32", "tiles64": for so many columns at most
  uint32_t tile_rows = 0;
  uint32_t tile_cols = 0;
};

constexpr size_t kSampleColumns = 8;  // of the panel that samples are brought into

// Four rows of four floats to columns.
struct FourByFour {
#if defined(__SSE2__)
  __m128 row[4];
  void load(int i, const float* p) { row[i] = p == nullptr ? _mm_setzero_ps() : _mm_loadu_ps(p); }
  void store(int i, float* p) const { _mm_storeu_ps(p, row[i]); }
  void transpose() { _MM_TRANSPOSE4_PS(row[0], row[1], row[2], row[3]); }
#else
  float row[4][4];
  void load(int i, const float* p) {
    for (int j = 0; j < 4; ++j) row[i][j] = p == nullptr ? 0.0f : p[j];
  }
  void store(int i, float* p) const {
    for (int j = 0; j < 4; ++j) p[j] = row[i][j];
  }
  void transpose() {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < i; ++j) std::swap(row[i][j], row[j][i]);
    }
  }
#endif
};

// n samples of `features` floats to columns 0 to 3 of a panel; columns from n on are zero.
void samples_to_panel(const SampleBatch& batch, uint32_t features, float* panel) {
  const auto sample = [&](int s) { return s < batch.n ? batch.x + s * batch.x_stride : nullptr; };
  uint32_t f = 0;
  for (; f + 4 <= features; f += 4) {
    FourByFour block;
    for (int s = 0; s < 4; ++s) block.load(s, sample(s) == nullptr ? nullptr : sample(s) + f);
    block.transpose();
    for (int i = 0; i < 4; ++i) block.store(i, panel + (f + i) * kSampleColumns);
  }
  for (; f < features; ++f) {
    for (int s = 0; s < 4; ++s) {
      panel[f * kSampleColumns + s] = sample(s) == nullptr ? 0.0f : sample(s)[f];
    }
  }
}

// The way back, for the features [begin, end).
void panel_to_samples(const float* panel, uint32_t begin, uint32_t end, const SampleBatch& batch) {
  uint32_t f = begin;
  for (; f + 4 <= end; f += 4) {
    FourByFour block;
    for (int i = 0; i < 4; ++i) block.load(i, panel + (f + i) * kSampleColumns);
    block.transpose();
    for (int s = 0; s < batch.n; ++s) block.store(s, batch.y + s * batch.y_stride + f);
  }
  for (; f < end; ++f) {
    for (int s = 0; s < batch.n; ++s) {
      batch.y[s * batch.y_stride + f] = panel[f * kSampleColumns + s];
    }
  }
}

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
  bool serves(int n) const override { return n > 1; }
  std::string kernel(int) const override { return kernels_.kernel; }
  size_t bytes() const override { return pack_.bytes(); }

  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    const uint32_t begin = row_blocks_.first_row(blocks.begin);
    const uint32_t end = row_blocks_.first_row(blocks.end);
    // Kept from call to call; each thread has its own.
    thread_local AlignedVector<float> scratch;
    const size_t x_size = size_t{pack_.cols} * kSampleColumns;
    const size_t y_size = size_t{pack_.rows} * kSampleColumns;
    if (scratch.size() < x_size + y_size) {
      try {
        scratch.assign(x_size + y_size, 0.0f);
      } catch (const std::bad_alloc&) {
        // Linear computes again what is not finite, without memory.
        for (int s = 0; s < batch.n; ++s) {
          std::fill(batch.y + s * batch.y_stride + begin, batch.y + s * batch.y_stride + end,
                    std::numeric_limits<float>::quiet_NaN());
        }
        return false;
      }
    }
    float* x = scratch.data();
    float* y = x + x_size;
    samples_to_panel(batch, pack_.cols, x);
    run_panel({x, kSampleColumns, y, kSampleColumns, batch.n}, epilogue, blocks);
    panel_to_samples(y, begin, end, batch);
    return true;
  }
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

struct RowTileCost {
  double entry;
  double row;  // starting and storing the sums of a row in one tile
};
struct RowTileCosts {
  RowTileCost panel[kPanelWidths];  // by panel_width_index
};
constexpr CostByIsa<RowTileCosts> kCosts = {
    // AVX-512
    {{{0.27, 1.2},
      {0.27, 1.2},
      {0.27, 1.2},
      {0.375, 1.1},
      {0.665, 1.9},
      {0.665, 1.9},
      {0.985, 3.0},
      {1.29, 3.4}}},
    // AVX2
    {{{0.35, 1.2},
      {0.35, 1.2},
      {0.35, 1.2},
      {0.53, 1.9},
      {0.66, 3.0},
      {1.00, 3.5},
      {1.45, 6.0},
      {1.90, 7.5}}},
    // portable
    {{{0.52, 1.7},
      {0.52, 1.7},
      {0.52, 1.7},
      {1.11, 2.7},
      {1.75, 5.2},
      {1.75, 5.2},
      {2.9, 7.3},
      {3.6, 9.7}}}};
// To bring a feature of up to four samples into a panel, or back.
constexpr double kMovedSample = 0.5;

double row_tiles_ns(const LayoutRequest& request, const RowTilesPlan& plan) {
  const double rows = request.csr.rows, cols = request.csr.cols;
  const RowTileCost& cost = kCosts[request.isa].panel[panel_width_index(request.n)];
  const double tiles = std::ceil(cols / plan.tile_cols);
  // Tiles between the first and the last visit only rows that have something in them.
  const double entries = static_cast<double>(request.csr.nnz());
  const double visits =
      tiles <= 2 ? tiles * rows : 2.0 * rows + std::min((tiles - 2) * rows, entries);
  const double moved = request.n <= kSampleMajorMax ? kMovedSample * (rows + cols) : 0;
  return at_least_reading(request.isa, 1.01 * entries * cost.entry + visits * cost.row + moved,
                          6 * entries, request.cold);
}

// n <= kSampleMajorMax: for samples, which are brought into a panel of 8 columns and back. Row
// blocks: enough for a few threads, and large enough that rows of the same count meet and a
// block of the panel is used many times.
RowTilesPlan plan_row_tiles(const CsrView& csr, int n) {
  constexpr uint32_t kMostRows = 512, kLeastRows = 128, kRowBlocks = 4;
  RowTilesPlan plan;
  plan.tile_rows = std::clamp(csr.rows / kRowBlocks, kLeastRows, kMostRows);
  const uint32_t columns = n <= kSampleMajorMax ? 8 : n <= 16 ? 16 : n <= 32 ? 32 : 64;
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

std::vector<std::string> names(Isa) { return {"tiles"}; }

// One sample has better layouts, and up to four have on AVX-512: permute-blocks.
void add(const LayoutRequest& request, std::vector<Candidate>& list) {
  if (request.n == 1 || (request.n <= kSampleMajorMax && request.isa == Isa::kAvx512)) return;
  const RowTilesPlan plan = plan_row_tiles(request.csr, request.n);
  list.push_back({plan.name, row_tiles_ns(request, plan), 6.0 * request.csr.nnz(),
                  [csr = request.csr, isa = request.isa, plan] {
                    return std::make_unique<RowTilesLayout>(csr, kKernels.best(isa), plan);
                  }});
}

}  // namespace

extern const LayoutFamily kRowTilesFamily = {names, add};

}  // namespace espalier
