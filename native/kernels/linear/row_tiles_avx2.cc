// Row-tile kernels for AVX2: vectors of columns, and as many rows of a quad
// at once as there are registers for.
#include "kernels/linear/row_tiles_vector.h"
#include "kernels/linear/vector_avx2.h"

namespace espalier {
namespace {

void panel(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
           uint32_t begin, uint32_t end) {
  switch ((batch.n + 7) / 8) {
    case 1:
      return row_tiles<Ymm, 1, 4>(view, epilogue, batch, begin, end);
    case 2:
      return row_tiles<Ymm, 2, 4>(view, epilogue, batch, begin, end);
    case 3:
      return row_tiles<Ymm, 3, 4>(view, epilogue, batch, begin, end);
    case 4:
      return row_tiles<Ymm, 4, 2>(view, epilogue, batch, begin, end);
    case 5:
      return row_tiles<Ymm, 5, 2>(view, epilogue, batch, begin, end);
    case 6:
      return row_tiles<Ymm, 6, 2>(view, epilogue, batch, begin, end);
    case 7:
      return row_tiles<Ymm, 7, 1>(view, epilogue, batch, begin, end);
    default:
      return row_tiles<Ymm, 8, 1>(view, epilogue, batch, begin, end);
  }
}

}  // namespace

const RowTileKernels kRowTilesAvx2 = {panel, "spmm_f32_tiles4_avx2"};

}  // namespace espalier
