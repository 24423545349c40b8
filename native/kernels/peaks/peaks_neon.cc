#include "kernels/linear/vector_neon.h"
#include "kernels/peaks/peaks_vector.h"

namespace espalier {

const PeakKernels kPeaksNeon = {Neon::kWidth, peak_fma<Neon>, peak_read<Neon>};

}  // namespace espalier
