// Dense kernels for AVX-512. The numbers are the tiles and chains, or rows and vectors, that fill
// the 32 registers.
#include "kernels/linear/dense_vector.h"
#include "kernels/linear/vector_avx512.h"

namespace espalier {
namespace {

bool samples(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
             const SampleBatch& batch, uint32_t begin, uint32_t end) {
  switch (batch.n) {
    case 1:
      return dense_samples<Zmm, 4, 1, 4>(weights, rows, cols, epilogue, batch, begin, end);
    case 2:
      return dense_samples<Zmm, 4, 2, 2>(weights, rows, cols, epilogue, batch, begin, end);
    case 3:
      return dense_samples<Zmm, 4, 3, 2>(weights, rows, cols, epilogue, batch, begin, end);
    default:
      return dense_samples<Zmm, 4, 4, 1>(weights, rows, cols, epilogue, batch, begin, end);
  }
}

// n > 8 columns in whole vectors of 16.
bool wide_panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                const PanelBatch& batch, uint32_t begin, uint32_t end) {
  switch ((batch.n + 15) / 16) {
    case 1:
      return dense_panel<Zmm, 1, false, 16>(weights, rows, cols, epilogue, batch, begin, end);
    case 2:
      return dense_panel<Zmm, 2, false, 8, 8>(weights, rows, cols, epilogue, batch, begin, end);
    case 3:
      return dense_panel<Zmm, 3, false, 8, 8>(weights, rows, cols, epilogue, batch, begin, end);
    default:
      return dense_panel<Zmm, 4, false, 4, 4, 4, 4>(weights, rows, cols, epilogue, batch, begin,
                                                    end);
  }
}

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t begin, uint32_t end) {
  // A last vector that is at most half full costs half as much apart.
  const int last = batch.n % 16;
  if (last == 0 || last > 8) {
    return wide_panel(weights, rows, cols, epilogue, batch, begin, end);
  }
  bool finite = true;
  PanelBatch strip = batch;
  strip.n = batch.n - last;
  if (strip.n > 0) finite = wide_panel(weights, rows, cols, epilogue, strip, begin, end);
  strip.x += strip.n;
  strip.y += strip.n;
  strip.n = last;
  return dense_panel<Ymm, 1, false, 16>(weights, rows, cols, epilogue, strip, begin, end) && finite;
}

}  // namespace

const DenseKernels kDenseAvx512 = {samples, panel};

}  // namespace espalier
