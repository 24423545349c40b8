// Row-tile kernels for AVX-512: vectors of columns, and rows of a quad at once.
#include "kernels/linear/row_tiles_vector.h"
#include "kernels/linear/vector_avx512.h"

namespace espalier {
namespace {

void panel(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
           uint32_t begin, uint32_t end) {
  if (batch.n <= 8) return row_tiles<Ymm, 1, 4>(view, epilogue, batch, begin, end);
  switch ((batch.n + 15) / 16) {
    case 1:
      return row_tiles<Zmm, 1, 4>(view, epilogue, batch, begin, end);
    case 2:
      return row_tiles<Zmm, 2, 4>(view, epilogue, batch, begin, end);
    case 3:
      return row_tiles<Zmm, 3, 4>(view, epilogue, batch, begin, end);
    default:
      return row_tiles<Zmm, 4, 4>(view, epilogue, batch, begin, end);
  }
}

}  // namespace

const RowTileKernels kRowTilesAvx512 = {panel, "spmm_f32_tiles4_avx512"};

}  // namespace espalier
