#include "kernels/elementwise/elementwise.h"

#include "kernels/by_isa.h"

namespace espalier {

extern const ElementwiseKernels kElementwisePortable, kElementwiseNeon, kElementwiseAvx2,
    kElementwiseAvx512;

const ElementwiseKernels& elementwise_kernels(Isa isa) {
  static constexpr KernelsByIsa<ElementwiseKernels> kKernels = {
      {&kElementwisePortable, ESPALIER_ARM64(kElementwiseNeon), ESPALIER_X64(kElementwiseAvx2),
       ESPALIER_X64(kElementwiseAvx512)}};
  return kKernels.best(isa);
}

}  // namespace espalier
