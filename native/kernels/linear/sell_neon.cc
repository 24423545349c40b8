// The SELL kernel for NEON.
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_neon.h"

namespace espalier {

const SellKernels kSellNeon = {
    Neon::kWidth,
    {
        {sell_batch<Neon, float>, "sell4", "spmv_f32_sell4_neon"},
        {sell_batch<Neon, Bfloat16>, "sell4_bf16", "spmv_bf16_sell4_neon"},
        {sell_batch<Neon, Float16>, "sell4_f16", "spmv_f16_sell4_neon"},
        {sell_batch<Neon, int8_t>, "sell4_i8", "spmv_i8_sell4_neon"},
    }};

}  // namespace espalier
