#include "kernels/image/image_vector.h"
#include "kernels/linear/vector_avx512.h"

namespace espalier {

extern const ImageKernels kImageAvx512 = image_kernels_of<Zmm>();

}  // namespace espalier
