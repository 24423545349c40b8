// Which layout a batch gets: all that could serve it, with what they are predicted to cost.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_CHOICE_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_CHOICE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/linear/layout.h"

namespace espalier {

struct Candidate {
  std::string name;
  double ns;     // predicted: see cost_model.h
  double bytes;  // about
  std::function<std::unique_ptr<Layout>()> make;

  // Of layouts that are about as fast, the smaller: now and then its weights are not in the cache.
  double robust_ns() const { return ns + kColdShare * bytes; }
  static constexpr double kColdShare = 0.05 / 25;  // of the calls, at 25 bytes a nanosecond

  // "tiles" stands for its form of any width.
  bool forced_by(const std::string& layout) const {
    return name == layout || (layout == "tiles" && name.compare(0, 5, layout) == 0);
  }
};

// For batches of n. format: of the values, which are rounded to it already; layouts that store them
// in it come beside those in float32. `csr` and `bias` outlive the candidates. The dense layout is
// always among them and comes first. forced: a layout's name, after which no more is looked for;
// empty: all.
std::vector<Candidate> candidates(const CsrView& csr, const float* bias, Isa isa, int n, bool cold,
                                  ValueFormat format, const std::string& forced);

// The names of all layouts for an instruction set.
std::vector<std::string> layout_names(Isa isa);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_CHOICE_H_
