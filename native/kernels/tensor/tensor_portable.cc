#include "kernels/linear/vector_portable.h"
#include "kernels/tensor/tensor_vector.h"

namespace espalier {

extern const TensorKernels kTensorPortable = tensor_kernels_of<Quad>();

}  // namespace espalier
