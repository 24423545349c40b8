#include "kernels/tensor/tensor.h"

#include "kernels/by_isa.h"

namespace espalier {

extern const TensorKernels kTensorPortable, kTensorNeon, kTensorAvx2, kTensorAvx512;

const TensorKernels& tensor_kernels(Isa isa) {
  static constexpr KernelsByIsa<TensorKernels> kKernels = {
      {&kTensorPortable, ESPALIER_ARM64(kTensorNeon), ESPALIER_X64(kTensorAvx2),
       ESPALIER_X64(kTensorAvx512)}};
  return kKernels.best(isa);
}

}  // namespace espalier
