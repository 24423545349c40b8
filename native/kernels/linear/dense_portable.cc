// Dense kernels for any machine. The fixed inner lengths let the compiler vectorise.
#include "kernels/linear/kernels.h"
#include "kernels/linear/scalar.h"
#include "sparse/dense_tiles.h"

namespace espalier {
namespace {

constexpr uint32_t kLanes = kDenseTileRows;
constexpr int kColumns = 16;  // of a panel at a time: all of them may be read and written
constexpr uint32_t kRows = 4;

bool dense_samples(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                   const SampleBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  bool finite = true;
  for (uint32_t tile = tile_begin; tile < tile_end; ++tile) {
    const uint32_t row = tile * kLanes;
    const uint32_t live = rows - row < kLanes ? rows - row : kLanes;
    for (int s = 0; s < batch.n; ++s) {
      const float* x = batch.x + s * batch.x_stride;
      const float* w = weights + static_cast<size_t>(row) * cols;
      float sums[kLanes] = {};
      for (uint32_t col = 0; col < cols; ++col, w += kLanes) {
        for (uint32_t lane = 0; lane < kLanes; ++lane) sums[lane] += w[lane] * x[col];
      }
      float* y = batch.y + s * batch.y_stride + row;
      for (uint32_t lane = 0; lane < live; ++lane) {
        const float sum = sums[lane] + epilogue.bias[row + lane];
        finite &= is_finite(sum);
        y[lane] = apply_fused(epilogue.kind, epilogue.alpha, sum);
      }
    }
  }
  return finite;
}

bool dense_panel(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                 const PanelBatch& batch, uint32_t tile_begin, uint32_t tile_end) {
  bool finite = true;
  for (uint32_t tile = tile_begin; tile < tile_end; ++tile) {
    const float* tile_weights = weights + static_cast<size_t>(tile) * cols * kLanes;
    for (uint32_t lane = 0; lane < kLanes; lane += kRows) {
      const uint32_t row = tile * kLanes + lane;
      if (row >= rows) break;
      const uint32_t live_rows = rows - row < kRows ? rows - row : kRows;
      for (int column = 0; column < batch.n; column += kColumns) {
        const int live_columns = batch.n - column < kColumns ? batch.n - column : kColumns;
        float sums[kRows][kColumns] = {};
        for (uint32_t col = 0; col < cols; ++col) {
          const float* w = tile_weights + static_cast<size_t>(col) * kLanes + lane;
          const float* x = batch.x + col * batch.ldx + column;
          for (uint32_t r = 0; r < kRows; ++r) {
            for (int c = 0; c < kColumns; ++c) sums[r][c] += w[r] * x[c];
          }
        }
        for (uint32_t r = 0; r < live_rows; ++r) {
          float* y = batch.y + (row + r) * batch.ldy + column;
          for (int c = 0; c < live_columns; ++c) {
            const float sum = sums[r][c] + epilogue.bias[row + r];
            finite &= is_finite(sum);
            y[c] = apply_fused(epilogue.kind, epilogue.alpha, sum);
          }
        }
      }
    }
  }
  return finite;
}

}  // namespace

const DenseKernels kDensePortable = {dense_samples, dense_panel};

}  // namespace espalier
