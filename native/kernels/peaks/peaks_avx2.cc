#include "kernels/linear/vector_avx2.h"
#include "kernels/peaks/peaks_vector.h"

namespace espalier {

const PeakKernels kPeaksAvx2 = {Ymm::kWidth, peak_fma<Ymm>, peak_read<Ymm>};

}  // namespace espalier
