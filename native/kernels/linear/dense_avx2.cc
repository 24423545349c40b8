// Dense kernels for AVX2. The numbers are the tiles and chains, or rows and vectors, that fill the
// 16 registers.
#include "kernels/linear/dense_vector.h"
#include "kernels/linear/vector_avx2.h"

namespace espalier {
namespace {

bool samples(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
             const SampleBatch& batch, uint32_t begin, uint32_t end) {
  switch (batch.n) {
    case 1:
      return dense_samples<Ymm, 2, 1, 2>(weights, rows, cols, epilogue, batch, begin, end);
    case 2:
      return dense_samples<Ymm, 2, 2, 1>(weights, rows, cols, epilogue, batch, begin, end);
    case 3:
      return dense_samples<Ymm, 2, 3, 1>(weights, rows, cols, epilogue, batch, begin, end);
    default:
      return dense_samples<Ymm, 1, 4, 1>(weights, rows, cols, epilogue, batch, begin, end);
  }
}

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t begin, uint32_t end) {
  // Four rows by 24 columns at a time, then what is left.
  bool finite = true;
  PanelBatch strip = batch;
  int left = batch.n;
  for (; left > 16; left -= 24, strip.x += 24, strip.y += 24) {
    strip.n = left < 24 ? left : 24;
    finite &= dense_panel<Ymm, 4, 3>(weights, rows, cols, epilogue, strip, begin, end);
  }
  strip.n = left;
  if (left > 8) {
    finite &= dense_panel<Ymm, 4, 2, true>(weights, rows, cols, epilogue, strip, begin, end);
  } else if (left > 0) {
    finite &= dense_panel<Ymm, 8, 1, true>(weights, rows, cols, epilogue, strip, begin, end);
  }
  return finite;
}

}  // namespace

const DenseKernels kDenseAvx2 = {samples, panel};

}  // namespace espalier
