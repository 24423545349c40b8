#include "kernels/image/image.h"

namespace espalier {

extern const ImageKernels kImagePortable, kImageNeon, kImageAvx2, kImageAvx512;

const ImageKernels& image_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return kImageAvx512;
  if (isa == Isa::kAvx2) return kImageAvx2;
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return kImageNeon;
#endif
  (void)isa;
  return kImagePortable;
}

}  // namespace espalier
