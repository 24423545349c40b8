// Dense kernels for NEON. The numbers fill 32 registers of four floats.
#include "kernels/linear/dense_vector.h"
#include "kernels/linear/vector_neon.h"

namespace espalier {
namespace {

bool samples(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
             const SampleBatch& batch, uint32_t begin, uint32_t end) {
  switch (batch.n) {
    case 1:
      return dense_samples<Neon, 2, 1, 2>(weights, rows, cols, epilogue, batch, begin, end);
    case 2:
      return dense_samples<Neon, 2, 2, 1>(weights, rows, cols, epilogue, batch, begin, end);
    case 3:
      return dense_samples<Neon, 1, 3, 1>(weights, rows, cols, epilogue, batch, begin, end);
    default:
      return dense_samples<Neon, 1, 4, 1>(weights, rows, cols, epilogue, batch, begin, end);
  }
}

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t begin, uint32_t end) {
  bool finite = true;
  PanelBatch strip = batch;
  int left = batch.n;
  for (; left > 8; left -= 16, strip.x += 16, strip.y += 16) {
    strip.n = left < 16 ? left : 16;
    finite &=
        dense_panel<Neon, 4, false, 4, 4, 4, 4>(weights, rows, cols, epilogue, strip, begin, end);
  }
  strip.n = left;
  if (left > 0) {
    finite &= dense_panel<Neon, 2, false, 8, 8>(weights, rows, cols, epilogue, strip, begin, end);
  }
  return finite;
}

}  // namespace

const DenseKernels kDenseNeon = {samples, panel};

}  // namespace espalier
