// Dense kernels for any machine. The numbers fill 16 registers of four floats.
#include "kernels/linear/dense_vector.h"
#include "kernels/linear/vector_portable.h"

namespace espalier {
namespace {

bool samples(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
             const SampleBatch& batch, uint32_t begin, uint32_t end) {
  if (batch.n == 1) {
    return dense_samples<Quad, 2, 1, 1>(weights, rows, cols, epilogue, batch, begin, end);
  }
  bool finite = true;
  SampleBatch pair = batch;
  for (int left = batch.n; left > 0; left -= 2) {
    finite &= left > 1
                  ? dense_samples<Quad, 1, 2, 1>(weights, rows, cols, epilogue, pair, begin, end)
                  : dense_samples<Quad, 2, 1, 1>(weights, rows, cols, epilogue, pair, begin, end);
    pair.x += 2 * batch.x_stride;
    pair.y += 2 * batch.y_stride;
  }
  return finite;
}

bool panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
           const PanelBatch& batch, uint32_t begin, uint32_t end) {
  bool finite = true;
  PanelBatch strip = batch;
  for (int left = batch.n; left > 0; left -= 8, strip.x += 8, strip.y += 8) {
    strip.n = left < 8 ? left : 8;
    finite &=
        dense_panel<Quad, 2, false, 4, 4, 4, 4>(weights, rows, cols, epilogue, strip, begin, end);
  }
  return finite;
}

}  // namespace

const DenseKernels kDensePortable = {samples, panel};

}  // namespace espalier
