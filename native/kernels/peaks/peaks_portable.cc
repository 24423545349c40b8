#include "kernels/linear/vector_portable.h"
#include "kernels/peaks/peaks_vector.h"

namespace espalier {

const PeakKernels kPeaksPortable = {Quad::kWidth, peak_fma<Quad>, peak_read<Quad>};

}  // namespace espalier
