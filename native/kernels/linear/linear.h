// Linear: y = act(W x + b) for a weight matrix known at load: analysed, packed, decided.
//
// A Linear picks, for each regime of batch sizes, the layout and kernel with the least predicted
// cost, dense included, and packs W for it. It owns all it needs; nothing of the caller's is
// borrowed after `make`.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_LINEAR_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_LINEAR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/features.h"
#include "kernels/activation.h"
#include "kernels/linear/panel_widths.h"
#include "kernels/values.h"
#include "sparse/csr.h"
#include "sparse/value_format.h"

namespace espalier {

struct LinearOptions {
  Isa isa = Isa::kPortable;
  // Forces a layout by name ("dense", "csr", "pb64", ...: linear_layouts) where it is compiled for
  // `isa`; empty: the cost model.
  std::string layout;
  // The weights are not in a cache when a call comes, as with a model larger than the last-level
  // cache: small layouts win over fast ones.
  bool cold = false;
  // Rounds the weights to this format, and adds layouts that store them in it to those that are
  // weighed against each other; sums stay float32. Nothing: the format of the fewest bits that
  // holds the weights as they are.
  std::optional<ValueFormat> values;
  // prepare() packs the layouts that are predicted to be within half as much again of the best,
  // measures them and keeps the fastest, instead of trusting the prediction.
  bool tune = false;
};

// What was chosen for a batch, for explain().
struct LinearInfo {
  std::string layout;       // "dense", "pb64", "spmm_k", ...
  std::string kernel;       // "spmv_f32_pb64_avx512", ...
  std::string reason;       // one short sentence
  double predicted_ns = 0;  // for one call with this batch, one thread
  double dense_ns = 0;      // the same for the dense kernel
  double measured_ns = 0;   // the same where LinearOptions::tune measured it, else 0
  const char* values = "";  // the format of its weights
  size_t bytes = 0;         // memory of this layout
};

class Linear {
 public:
  // `csr` is well formed (check_csr). bias: `rows` floats or nullptr. nullptr if memory runs out or
  // an unknown layout is forced.
  static std::unique_ptr<Linear> make(const CsrView& csr, const float* bias, Activation activation,
                                      const LinearOptions& options);
  // The same without a copy: the Linear keeps the arrays of `csr`.
  static std::unique_ptr<Linear> make(Csr&& csr, const float* bias, Activation activation,
                                      const LinearOptions& options);
  virtual ~Linear() = default;

  virtual uint32_t rows() const = 0;
  virtual uint32_t cols() const = 0;
  virtual size_t nnz() const = 0;

  // Packs what a batch of n columns needs, if it is not there yet: samples up to kSampleMajorMax,
  // panels above. Once one n of either kind is prepared, all n of that kind run, if not at their
  // best (a batch of 67 needs no more than its panel of 64; run_panel takes any n from 1). Not safe
  // against concurrent calls of anything: the executor calls it at load, or holds the model's lock.
  // False if memory runs out.
  virtual bool prepare(int n) = 0;

  // How many parts a call with n columns is worth splitting into, at most max_parts (1 where
  // threads do not help).
  virtual int parts(int n, int max_parts) const = 0;

  // parts(), run_samples() and run_panel() need a prepare() of their kind. Panels run best with ld
  // 16, 32 or 64.

  // Computes part `part` of `parts` (rows split by work). Parts may run at the same time. Needs
  // prepare(n). The result does not depend on `parts`. NaN and Inf in x behave as in a dense
  // product over the stored non-zeros: a padding zero of a layout never makes a NaN.
  virtual void run_samples(const float* x, size_t x_stride, float* y, size_t y_stride, int n,
                           int part, int parts) const = 0;
  virtual void run_panel(const float* x, size_t ldx, float* y, size_t ldy, int n, int part,
                         int parts) const = 0;

  virtual LinearInfo info(int n) const = 0;
  // Memory of everything packed so far.
  virtual size_t bytes() const = 0;
};

// All layouts compiled for an instruction set, for tests and benchmarks (each can be forced by
// LinearOptions::layout).
std::vector<std::string> linear_layouts(Isa isa);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_LINEAR_H_
