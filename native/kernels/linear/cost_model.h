// Predicted times, from counts that are known before anything is packed.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_COST_MODEL_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_COST_MODEL_H_

#include <cstddef>
#include <cstdint>

#include "kernels/linear/layout.h"
#include "sparse/sell.h"

namespace espalier {

// Of the third-level cache: weights that take more of it share it with whatever else runs.
inline constexpr double kFarShare = 0.25;

// For one call with n columns on one thread. cold: the weights come from memory.
double dense_ns(Isa isa, uint32_t rows, uint32_t cols, int n, bool cold);
double csr_ns(Isa isa, uint32_t rows, size_t nnz, int n, bool cold);
double permute_block_ns(Isa isa, const PermuteBlockPlan& plan, int n, bool cold);
double short_blocks_ns(Isa isa, const ShortBlocksPlan& plan, ValueFormat format, int n, bool cold);
double sell_ns(Isa isa, const SellCount& count, uint32_t lanes, ValueFormat format, int n,
               bool cold);
double row_tiles_ns(Isa isa, uint32_t rows, uint32_t cols, size_t nnz, const RowTilesPlan& plan,
                    int n, bool cold);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_COST_MODEL_H_
