// A packed form of one weight matrix together with the kernels that run it. Linear holds one for
// each regime of batch sizes.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_LAYOUT_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_LAYOUT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/features.h"
#include "kernels/linear/kernels.h"
#include "sparse/csr.h"
#include "sparse/permute_block.h"
#include "sparse/row_blocks.h"
#include "sparse/short_blocks.h"
#include "sparse/value_format.h"

namespace espalier {

class Layout {
 public:
  virtual ~Layout() = default;

  virtual const char* name() const = 0;
  // Whether it has kernels for a batch of n: samples up to kSampleMajorMax, panels above.
  virtual bool serves(int n) const = 0;
  // Of the kernel that a batch of n runs.
  virtual std::string kernel(int n) const = 0;
  virtual size_t bytes() const = 0;
  // Of the packed weights.
  virtual ValueFormat values() const { return ValueFormat::kFloat32; }

  // Whether the columns and values of a matrix without zeros can be told from the layout: then they
  // are written to col_idx and values (rows * cols each).
  virtual bool unpacks() const { return false; }
  virtual void unpack(int32_t* /*col_idx*/, float* /*values*/) const {}

  // Compute the rows of `blocks`. False if the result holds a value that is not finite and may be
  // wrong for it: see DenseKernels.
  virtual bool run_samples(const SampleBatch& batch, const Epilogue& epilogue,
                           BlockRange blocks) const = 0;
  virtual bool run_panel(const PanelBatch& batch, const Epilogue& epilogue,
                         BlockRange blocks) const = 0;

  const RowBlocks& row_blocks() const { return row_blocks_; }

 protected:
  RowBlocks row_blocks_;
};

// Each maker throws std::bad_alloc when memory runs out. `csr` outlives the csr layout; bias has a
// value for each row.
std::unique_ptr<Layout> make_csr_layout(const CsrView& csr);
std::unique_ptr<Layout> make_dense_layout(const CsrView& csr, Isa isa);

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
const PermuteBlockKernels* permute_block_kernels(Isa isa);  // nullptr if there are none
std::vector<PermuteBlockPlan> plan_permute_blocks(const CsrView& csr, Isa isa);
std::unique_ptr<Layout> make_permute_block_layout(const CsrView& csr, const float* bias, Isa isa,
                                                  const PermuteBlockPlan& plan);

const ShortBlocksKernels* short_blocks_kernels(Isa isa);  // nullptr if there are none
// Nothing where the matrix has no such form. half: the plan with blocks half as wide, if there is
// one: its counts are not taken again.
std::optional<ShortBlocksPlan> plan_short_blocks(const CsrView& csr, uint32_t block_cols,
                                                 const ShortBlocksPlan* half = nullptr);
double short_blocks_bytes(const ShortBlocksPlan& plan, ValueFormat format);  // about
std::unique_ptr<Layout> make_short_blocks_layout(const CsrView& csr, const float* bias,
                                                 const ShortBlocksForm& form, ValueFormat format,
                                                 const ShortBlocksPlan& plan);

const SellKernels* sell_kernels(Isa isa);  // nullptr if there are none
std::unique_ptr<Layout> make_sell_layout(const CsrView& csr, const float* bias,
                                         const SellKernels& kernels, ValueFormat format);

struct RowTilesPlan {
  std::string name;  // "tiles8", "tiles16", "tiles32", "tiles64": for so many columns at most
  uint32_t tile_rows = 0;
  uint32_t tile_cols = 0;
};
const RowTileKernels& row_tile_kernels(Isa isa);
// n <= kSampleMajorMax: for samples, which are brought into a panel of 8 columns and back.
RowTilesPlan plan_row_tiles(const CsrView& csr, int n);
std::unique_ptr<Layout> make_row_tiles_layout(const CsrView& csr, Isa isa,
                                              const RowTilesPlan& plan);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_LAYOUT_H_
