// The SELL kernel for any machine.
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_portable.h"

namespace espalier {

const SellKernels kSellPortable = {
    Quad::kWidth,
    {
        {sell_batch<Quad, float>, "sell4", "spmv_f32_sell4_portable"},
        {sell_batch<Quad, Bfloat16>, "sell4_bf16", "spmv_bf16_sell4_portable"},
        {sell_batch<Quad, Float16>, "sell4_f16", "spmv_f16_sell4_portable"},
        {sell_batch<Quad, int8_t>, "sell4_i8", "spmv_i8_sell4_portable"},
    }};

}  // namespace espalier
