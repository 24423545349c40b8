#include <algorithm>

#include "kernels/by_isa.h"
#include "kernels/linear/cost_model.h"
#include "kernels/linear/layout.h"
#include "sparse/dense_tiles.h"

namespace espalier {
namespace {

constexpr KernelsByIsa<DenseKernels> kKernels = {{&kDensePortable, ESPALIER_ARM64(kDenseNeon),
                                                  ESPALIER_X64(kDenseAvx2),
                                                  ESPALIER_X64(kDenseAvx512)}};

struct SamplesCost {
  double tile_col;  // a column of a tile of 16 rows
  double tile;
};
struct PanelCost {
  double row_col;
  double row;
};
struct DenseCost {
  SamplesCost samples[kSampleMajorMax];  // by their number
  PanelCost panel[kPanelWidths];         // by panel_width_index
};
constexpr CostByIsa<DenseCost> kCosts = {
    // AVX-512
    {{{0.61, 3}, {0.76, 4}, {1.07, 5}, {1.09, 5}},
     {{0.160, 0.5},
      {0.160, 0.5},
      {0.160, 0.5},
      {0.277, 0.5},
      {0.437, 1.0},
      {0.565, 1.0},
      {0.856, 1.2},
      {1.105, 2.3}}},
    // AVX2
    {{{0.45, 5}, {0.80, 12}, {1.10, 20}, {1.60, 30}},
     {{0.110, 1.0},
      {0.140, 1.0},
      {0.195, 1.0},
      {0.345, 0.8},
      {0.53, 1.2},
      {0.74, 1.4},
      {1.05, 2.0},
      {1.43, 3.5}}},
    // portable
    {{{0.90, 11}, {1.67, 27}, {2.57, 38}, {3.34, 50}},
     {{0.44, 4.4},
      {0.44, 4.4},
      {0.44, 4.4},
      {0.88, 8.8},
      {1.34, 12},
      {1.80, 16},
      {2.68, 25},
      {3.66, 31}}}};
// Of memory, against other layouts: dense weights are one stream, which prefetchers know best.
constexpr double kFromMemory = 0.85;

double dense_ns(const LayoutRequest& request) {
  const uint32_t rows = request.csr.rows, cols = request.csr.cols;
  const int n = request.n;
  const double tiles = round_up(rows, 16) / 16;
  const double bytes = tiles * cols * 64;
  const DenseCost& costs = kCosts[request.isa];
  if (n <= kSampleMajorMax) {
    const SamplesCost& cost = costs.samples[std::max(n, 1) - 1];
    const double ns = tiles * (cols * cost.tile_col + cost.tile);
    return at_least_reading(request.isa, ns, bytes, request.cold, kFromMemory);
  }
  const PanelCost& cost = costs.panel[panel_width_index(n)];
  // The rows that a kernel takes at once.
  const uint32_t unit = request.isa != Isa::kAvx512 ? 4 : n <= 16 ? 16 : n <= 48 ? 8 : 4;
  return at_least_reading(request.isa, round_up(rows, unit) * cols * cost.row_col + rows * cost.row,
                          bytes, request.cold);
}

class DenseLayout final : public Layout {
 public:
  DenseLayout(const CsrView& csr, Isa isa)
      : tiles_(pack_dense_tiles(csr)),
        full_(csr.nnz() == static_cast<size_t>(csr.rows) * csr.cols),
        kernels_(kKernels.best(isa)),
        isa_(isa) {
    for (uint32_t row = 0; row < csr.rows; row += kDenseTileRows) {
      row_blocks_.add(std::min(csr.rows, row + kDenseTileRows), 1);
    }
  }

  const char* name() const override { return "dense"; }
  bool serves(int) const override { return true; }
  std::string kernel(int n) const override {
    return std::string(n <= 4 ? "gemv_f32_tile16_" : "gemm_f32_tile16_") + isa_name(isa_);
  }
  size_t bytes() const override { return tiles_.weights.size() * sizeof(float); }

  bool unpacks() const override { return full_; }
  void unpack(int32_t* col_idx, float* values) const override {
    for (uint32_t row = 0; row < tiles_.rows; ++row) {
      const float* lane = tiles_.weights.data() +
                          size_t{row / kDenseTileRows} * tiles_.cols * kDenseTileRows +
                          row % kDenseTileRows;
      for (uint32_t col = 0; col < tiles_.cols; ++col, lane += kDenseTileRows) {
        *col_idx++ = static_cast<int32_t>(col);
        *values++ = *lane;
      }
    }
  }

  // A matrix without zeros has nothing to be wrong about.
  bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                   BlockRange blocks) const override {
    return kernels_.samples(tiles_.weights.data(), tiles_.rows, tiles_.cols, epilogue, batch,
                            blocks.begin, blocks.end) ||
           full_;
  }
  bool run_panel(const PanelBatch& batch, const Epilogue& epilogue,
                 BlockRange blocks) const override {
    return kernels_.panel(tiles_.weights.data(), tiles_.rows, tiles_.cols, epilogue, batch,
                          blocks.begin, blocks.end) ||
           full_;
  }

 private:
  DenseTiles tiles_;
  bool full_;
  const DenseKernels& kernels_;
  Isa isa_;
};

std::vector<std::string> names(Isa) { return {"dense"}; }

void add(const LayoutRequest& request, std::vector<Candidate>& list) {
  list.push_back(
      {"dense", dense_ns(request), 4.0 * request.csr.rows * request.csr.cols,
       [csr = request.csr, isa = request.isa] { return std::make_unique<DenseLayout>(csr, isa); }});
}

}  // namespace

extern const LayoutFamily kDenseFamily = {names, add};

}  // namespace espalier
