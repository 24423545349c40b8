#include "kernels/linear/layout.h"
#include "sparse/dense_tiles.h"

namespace espalier {
namespace {

const DenseKernels& dense_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return kDenseAvx512;
  if (isa == Isa::kAvx2) return kDenseAvx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return kDenseNeon;
#endif
  (void)isa;
  return kDensePortable;
}

class DenseLayout final : public Layout {
 public:
  DenseLayout(const CsrView& csr, Isa isa)
      : tiles_(pack_dense_tiles(csr)),
        full_(csr.nnz() == static_cast<size_t>(csr.rows) * csr.cols),
        kernels_(dense_kernels(isa)),
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

}  // namespace

std::unique_ptr<Layout> make_dense_layout(const CsrView& csr, Isa isa) {
  return std::make_unique<DenseLayout>(csr, isa);
}

}  // namespace espalier
