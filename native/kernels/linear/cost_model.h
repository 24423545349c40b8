// What all predictions of a call's time share. A layout predicts its own, in its layout_*.cc, by
// constants in nanoseconds that are fitted to measurements of its kernels: AVX-512 on a Zen 4 core
// at 3.7 GHz (13 shapes from 5x32 to 1024x1024, 5 sparsities), AVX2 and portable on a Zen 3 core at
// 3 GHz. Other machines are faster or slower, but what decides is the ratio of two predictions, and
// the kernels share their bottlenecks: loads, permutes and FMAs. native/bench/linear_bench.cc
// prints each prediction beside the time taken: constants are fitted to its output.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_COST_MODEL_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_COST_MODEL_H_

#include "cpu/features.h"
#include "kernels/linear/panel_widths.h"
#include "sparse/value_format.h"

namespace espalier {

// Of the third-level cache: weights that take more of it share it with whatever else runs.
inline constexpr double kFarShare = 0.25;

// The constants of a layout by instruction set; NEON has those of the portable kernels.
template <typename Cost>
struct CostByIsa {
  Cost avx512, avx2, portable;

  const Cost& operator[](Isa isa) const {
    return isa == Isa::kAvx512 ? avx512 : isa == Isa::kAvx2 ? avx2 : portable;
  }
};

// To make floats of the 8 weights of a step, by format.
inline constexpr double kDecodeStep[kValueFormats] = {0, 0.2, 0.2, 0.2};

// What a step of sell takes for one sample: the tails of other layouts are read in the same way.
double sell_step_ns(Isa isa);

// The weights are read once a call: cold from memory, else from the cache that they fit in when
// nothing else wants it. from_memory: how much longer than others this layout takes for a byte of
// memory.
double at_least_reading(Isa isa, double ns, double bytes, bool cold, double from_memory = 1);

inline double round_up(uint32_t rows, uint32_t unit) {
  return static_cast<double>((rows + unit - 1) / unit * unit);
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_COST_MODEL_H_
