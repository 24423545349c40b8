#include "kernels/linear/vector_avx512.h"
#include "kernels/tensor/tensor_vector.h"

namespace espalier {

extern const TensorKernels kTensorAvx512 = tensor_kernels_of<Zmm>();

}  // namespace espalier
