#include "kernels/image/image_vector.h"
#include "kernels/linear/vector_portable.h"

namespace espalier {

extern const ImageKernels kImagePortable = image_kernels_of<Quad>();

}  // namespace espalier
