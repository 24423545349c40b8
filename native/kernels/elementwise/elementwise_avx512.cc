#define ESPALIER_WIDTH 16
#include "kernels/elementwise/transpose_avx.h"

namespace espalier {

extern const ElementwiseKernels kElementwiseAvx512 = {activate,   scale_offset, affine,
                                                      accumulate, softmax,      transpose};

}  // namespace espalier
