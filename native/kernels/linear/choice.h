// Which layout a batch gets: all that could serve it, with what they are predicted to cost.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_CHOICE_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_CHOICE_H_

#include <string>
#include <vector>

#include "kernels/linear/layout.h"

namespace espalier {

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
