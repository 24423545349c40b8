#include "kernels/tensor/tensor.h"

namespace espalier {

extern const TensorKernels kTensorPortable, kTensorNeon, kTensorAvx2, kTensorAvx512;

const TensorKernels& tensor_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return kTensorAvx512;
  if (isa == Isa::kAvx2) return kTensorAvx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return kTensorNeon;
#endif
  (void)isa;
  return kTensorPortable;
}

}  // namespace espalier
