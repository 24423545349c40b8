#include "kernels/elementwise/elementwise.h"

namespace espalier {

extern const ElementwiseKernels kElementwisePortable, kElementwiseNeon, kElementwiseAvx2,
    kElementwiseAvx512;

const ElementwiseKernels& elementwise_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return kElementwiseAvx512;
  if (isa == Isa::kAvx2) return kElementwiseAvx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return kElementwiseNeon;
#endif
  (void)isa;
  return kElementwisePortable;
}

}  // namespace espalier
