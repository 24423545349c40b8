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

// Up to eight columns.
bool narrow_panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                  const PanelBatch& batch, uint32_t begin, uint32_t end) {
  switch (batch.n) {
    case 1:
      return dense_narrow<Ymm, 2, 1>(weights, rows, cols, epilogue, batch, begin, end);
    case 2:
      return dense_narrow<Ymm, 2, 2>(weights, rows, cols, epilogue, batch, begin, end);
    case 3:
      return dense_narrow<Ymm, 2, 3>(weights, rows, cols, epilogue, batch, begin, end);
    case 4:
      return dense_narrow<Ymm, 2, 2, 2>(weights, rows, cols, epilogue, batch, begin, end);
    case 5:
      return dense_narrow<Ymm, 1, 5>(weights, rows, cols, epilogue, batch, begin, end);
    case 6:
      return dense_narrow<Ymm, 2, 3, 3>(weights, rows, cols, epilogue, batch, begin, end);
    case 7:
      return dense_narrow<Ymm, 2, 3, 2, 2>(weights, rows, cols, epilogue, batch, begin, end);
    default:
      return dense_narrow<Ymm, 2, 3, 3, 2>(weights, rows, cols, epilogue, batch, begin, end);
  }
}

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t begin, uint32_t end) {
  // Four rows by 24 columns at a time, then what is left: 17 to 20 columns are 16 and a few more.
  bool finite = true;
  PanelBatch strip = batch;
  int left = batch.n;
  for (; left > 20; left -= 24, strip.x += 24, strip.y += 24) {
    strip.n = left < 24 ? left : 24;
    finite &=
        dense_panel<Ymm, 3, false, 4, 4, 4, 4>(weights, rows, cols, epilogue, strip, begin, end);
  }
  if (left > 8) {
    strip.n = left < 16 ? left : 16;
    finite &= dense_panel<Ymm, 2, false, 6, 5, 5>(weights, rows, cols, epilogue, strip, begin, end);
    left -= 16;
    strip.x += 16;
    strip.y += 16;
  }
  strip.n = left;
  if (left > 0) finite &= narrow_panel(weights, rows, cols, epilogue, strip, begin, end);
  return finite;
}

}  // namespace

const DenseKernels kDenseAvx2 = {samples, panel};

}  // namespace espalier
