#include "kernels/image/image_vector.h"
#include "kernels/linear/vector_neon.h"

namespace espalier {

extern const ImageKernels kImageNeon = image_kernels_of<Neon>();

}  // namespace espalier
