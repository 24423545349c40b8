// Scalar pieces of the portable kernels. Not for files compiled with an instruction set's flags.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_SCALAR_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_SCALAR_H_

#include "kernels/activation.h"

namespace espalier {

// NaN stays NaN, as in the vector kernels.
inline float apply_fused(ActivationKind kind, float alpha, float v) {
  switch (kind) {
    case ActivationKind::kRelu:
      return v < 0.0f ? 0.0f : v;
    case ActivationKind::kRelu6:
      return v < 0.0f ? 0.0f : v > 6.0f ? 6.0f : v;
    case ActivationKind::kLeakyRelu:
      return v < 0.0f ? v * alpha : v;
    default:
      return v;
  }
}

// v - v is 0 for finite values and NaN for the others.
inline bool is_finite(float v) { return v - v == 0.0f; }

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_SCALAR_H_
