// A packed form of one weight matrix together with the kernels that run it. Linear holds one for
// each regime of batch sizes.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_LAYOUT_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_LAYOUT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cpu/features.h"
#include "kernels/linear/kernels.h"
#include "sparse/csr.h"
#include "sparse/row_blocks.h"
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

// What a layout is asked for: a matrix, and the batches of n that it is to run. `csr` and `bias` (a
// value for each row) outlive the answers.
struct LayoutRequest {
  const CsrView& csr;
  const float* bias;
  Isa isa;
  int n;
  bool cold;                         // the weights come from memory
  std::vector<ValueFormat> formats;  // that weights may be stored in: float32 first
  const std::string& forced;         // a layout's name, after which no more is looked for; or empty
};

// A layout that could serve a request.
struct Candidate {
  std::string name;
  double ns;     // predicted for a call on one thread: see cost_model.h
  double bytes;  // about
  // Packs; throws std::bad_alloc when memory runs out.
  std::function<std::unique_ptr<Layout>()> make;

  // Of layouts that are about as fast, the smaller: now and then its weights are not in the cache.
  double robust_ns() const { return ns + kColdShare * bytes; }
  static constexpr double kColdShare = 0.05 / 25;  // of the calls, at 25 bytes a nanosecond

  // "tiles" stands for its form of any width.
  bool forced_by(const std::string& layout) const {
    return name == layout || (layout == "tiles" && name.compare(0, 5, layout) == 0);
  }
};

// True once the layout that a request forces is among `list`.
bool found_forced(const LayoutRequest& request, const std::vector<Candidate>& list);

// Layouts of one kind: a layout_*.cc, with its line in choice.cc.
struct LayoutFamily {
  // What LinearOptions::layout may name where the kernels are those of `isa`.
  std::vector<std::string> (*names)(Isa isa);
  // Plans and costs what could serve the request, and adds it to the list. Counting takes about as
  // long as packing: found_forced() says when there is no more need of it.
  void (*add)(const LayoutRequest& request, std::vector<Candidate>& list);
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_LAYOUT_H_
