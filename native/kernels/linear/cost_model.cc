#include "kernels/linear/cost_model.h"

#include <cmath>

namespace espalier {

double dense_ns(Isa isa, uint32_t rows, uint32_t cols, int n) {
  const double products = static_cast<double>(rows) * cols * n;
  return products * (isa == Isa::kAvx512 ? 0.02 : 0.2);
}

double csr_ns(uint32_t rows, size_t nnz, int n) {
  return n * (2.0 * rows + 0.5 * static_cast<double>(nnz));
}

double permute_block_ns(Isa, const PermuteBlockPlan& plan, int n) {
  return n * (1.0 * plan.size.steps + 1.0 * plan.size.blocks + 3.0 * plan.size.groups);
}

double row_tiles_ns(Isa, uint32_t rows, uint32_t cols, size_t nnz, const RowTilesPlan& plan,
                    int n) {
  const double vectors = n <= 8 ? 0.5 : (n + 15) / 16;
  const double passes = std::ceil(static_cast<double>(cols) / plan.tile_cols);
  return static_cast<double>(nnz) * (0.1 + 0.3 * vectors) + rows * passes * vectors * 0.6;
}

}  // namespace espalier
