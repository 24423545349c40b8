// Row-tile kernels for NEON: vectors of columns, and rows of a quad at once, together 16 sums.
#include "kernels/linear/row_tiles_vector.h"
#include "kernels/linear/vector_neon.h"

namespace espalier {
namespace {

void panel(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
           uint32_t begin, uint32_t end) {
  PanelBatch strip = batch;
  int left = batch.n;
  for (; left > 8; left -= 16, strip.x += 16, strip.y += 16) {
    row_tiles<Neon, 4, 4>(view, epilogue, strip, begin, end);
  }
  if (left > 0) row_tiles<Neon, 2, 4>(view, epilogue, strip, begin, end);
}

}  // namespace

const RowTileKernels kRowTilesNeon = {panel, "spmm_f32_tiles4_neon"};

}  // namespace espalier
