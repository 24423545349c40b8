#include "kernels/image/image_vector.h"
#include "kernels/linear/vector_avx2.h"

namespace espalier {

extern const ImageKernels kImageAvx2 = image_kernels_of<Ymm>();

}  // namespace espalier
