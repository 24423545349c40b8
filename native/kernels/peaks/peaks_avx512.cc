#include "kernels/linear/vector_avx512.h"
#include "kernels/peaks/peaks_vector.h"

namespace espalier {

const PeakKernels kPeaksAvx512 = {Zmm::kWidth, peak_fma<Zmm>, peak_read<Zmm>};

}  // namespace espalier
