// The activations that kernels fuse, as the Program names them (src/program/program.ts).
#ifndef ESPALIER_NATIVE_KERNELS_ACTIVATION_H_
#define ESPALIER_NATIVE_KERNELS_ACTIVATION_H_

#include <cstdint>

namespace espalier {

enum class ActivationKind : uint8_t {
  kLinear,
  kRelu,
  kRelu6,
  kLeakyRelu,
  kElu,
  kSelu,
  kSigmoid,
  kHardSigmoid,
  kTanh,
  kSoftplus,
  kSoftsign,
  kGelu,
  kGeluTanh,
  kSwish,
  kExponential,
  kMish,
  kHardSwish,
  kLogSigmoid,
  kTanhShrink,
  kSquareplus,
  kHardShrink,
  kSoftShrink,
  kThreshold,
  kClip,
  kClippedLeakyRelu,
};
inline constexpr ActivationKind kLastActivation = ActivationKind::kClippedLeakyRelu;

// alpha and beta by kind: see src/program/program.ts.
struct Activation {
  ActivationKind kind = ActivationKind::kLinear;
  float alpha = 0.0f;
  float beta = 0.0f;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_ACTIVATION_H_
