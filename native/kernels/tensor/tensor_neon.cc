#include "kernels/linear/vector_neon.h"
#include "kernels/tensor/tensor_vector.h"

namespace espalier {

extern const TensorKernels kTensorNeon = tensor_kernels_of<Neon>();

}  // namespace espalier
