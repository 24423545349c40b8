#include "kernels/linear/vector_avx2.h"
#include "kernels/tensor/tensor_vector.h"

namespace espalier {

extern const TensorKernels kTensorAvx2 = tensor_kernels_of<Ymm>();

}  // namespace espalier
