#include "kernels/linear/cost_model.h"

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

}  // namespace espalier
