#define ESPALIER_WIDTH 8
#include "kernels/elementwise/transpose_avx.h"

namespace espalier {

extern const ElementwiseKernels kElementwiseAvx2 = {activate,   scale_offset, affine,
                                                    accumulate, softmax,      transpose};

}  // namespace espalier
