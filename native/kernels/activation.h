// The activations, as a program has them (src/program).
#ifndef ESPALIER_NATIVE_KERNELS_ACTIVATION_H_
#define ESPALIER_NATIVE_KERNELS_ACTIVATION_H_

#include <cstdint>
#include <iterator>

namespace espalier {

// The one list of activations: as the code names them and as a program does. A new one goes last
// and has its case in elementwise/kernels_vector.h; a test holds the list to ACTIVATION_KINDS of
// TypeScript.
#define ESPALIER_ACTIVATIONS(X)  \
  X(Linear, "linear")            \
  X(Relu, "relu")                \
  X(Relu6, "relu6")              \
  X(LeakyRelu, "leaky_relu")     \
  X(Elu, "elu")                  \
  X(Selu, "selu")                \
  X(Sigmoid, "sigmoid")          \
  X(HardSigmoid, "hard_sigmoid") \
  X(Tanh, "tanh")                \
  X(Softplus, "softplus")        \
  X(Softsign, "softsign")        \
  X(Gelu, "gelu")                \
  X(GeluTanh, "gelu_tanh")       \
  X(Swish, "swish")              \
  X(Exponential, "exponential")  \
  X(Mish, "mish")                \
  X(HardSwish, "hard_swish")     \
  X(LogSigmoid, "log_sigmoid")   \
  X(TanhShrink, "tanh_shrink")   \
  X(Squareplus, "squareplus")    \
  X(HardShrink, "hard_shrink")   \
  X(SoftShrink, "soft_shrink")   \
  X(Threshold, "threshold")      \
  X(Clip, "clip")                \
  X(ClippedLeakyRelu, "clipped_leaky_relu")

enum class ActivationKind : uint8_t {
#define ESPALIER_ENUMERATOR(kind, name) k##kind,
  ESPALIER_ACTIVATIONS(ESPALIER_ENUMERATOR)
#undef ESPALIER_ENUMERATOR
};
inline constexpr const char* kActivationNames[] = {
#define ESPALIER_NAME(kind, name) name,
    ESPALIER_ACTIVATIONS(ESPALIER_NAME)
#undef ESPALIER_NAME
};
inline constexpr int kActivationKinds = static_cast<int>(std::size(kActivationNames));

// alpha and beta by kind: see src/program/activation.ts.
struct Activation {
  ActivationKind kind = ActivationKind::kLinear;
  float alpha = 0.0f;
  float beta = 0.0f;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_ACTIVATION_H_
