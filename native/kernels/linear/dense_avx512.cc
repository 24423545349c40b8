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

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t begin, uint32_t end) {
  if (batch.n <= 8) {
    return dense_panel<Ymm, 16, 1>(weights, rows, cols, epilogue, batch, begin, end);
  }
  switch ((batch.n + 15) / 16) {
    case 1:
      return dense_panel<Zmm, 16, 1>(weights, rows, cols, epilogue, batch, begin, end);
    case 2:
      return dense_panel<Zmm, 8, 2>(weights, rows, cols, epilogue, batch, begin, end);
    case 3:
      return dense_panel<Zmm, 8, 3>(weights, rows, cols, epilogue, batch, begin, end);
    default:
      return dense_panel<Zmm, 4, 4>(weights, rows, cols, epilogue, batch, begin, end);
  }
}

}  // namespace

const DenseKernels kDenseAvx512 = {samples, panel};

}  // namespace espalier
