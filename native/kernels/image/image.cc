#include "kernels/image/image.h"

#include "kernels/by_isa.h"

namespace espalier {

extern const ImageKernels kImagePortable, kImageNeon, kImageAvx2, kImageAvx512;

const ImageKernels& image_kernels(Isa isa) {
  static constexpr KernelsByIsa<ImageKernels> kKernels = {
      {&kImagePortable, ESPALIER_ARM64(kImageNeon), ESPALIER_X64(kImageAvx2),
       ESPALIER_X64(kImageAvx512)}};
  return kKernels.best(isa);
}

}  // namespace espalier
