// The SELL kernel for NEON.
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_neon.h"

namespace espalier {

const SellKernels kSellNeon = {Neon::kWidth, sell_batch<Neon>, "sell4", "spmv_f32_sell4_neon"};

}  // namespace espalier
