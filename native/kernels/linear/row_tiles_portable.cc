// Row-tile kernels for any machine: vectors of columns, and rows of a quad at once, together eight
// sums.
#include "kernels/linear/row_tiles_vector.h"
#include "kernels/linear/vector_portable.h"

namespace espalier {
namespace {

void panel(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
           uint32_t begin, uint32_t end) {
  PanelBatch strip = batch;
  for (int left = batch.n; left > 0; left -= 32, strip.x += 32, strip.y += 32) {
    if (left <= 8) {
      row_tiles<Quad, 2, 4>(view, epilogue, strip, begin, end);
    } else if (left <= 16) {
      row_tiles<Quad, 4, 2>(view, epilogue, strip, begin, end);
    } else {
      row_tiles<Quad, 8, 1>(view, epilogue, strip, begin, end);
    }
  }
}

}  // namespace

const RowTileKernels kRowTilesPortable = {panel, "spmm_f32_tiles4_portable"};

}  // namespace espalier
