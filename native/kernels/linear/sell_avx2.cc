// The SELL kernel for AVX2.
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_avx2.h"

namespace espalier {

const SellKernels kSellAvx2 = {
    Ymm::kWidth,
    {
        {sell_batch<Ymm, float>, "sell8", "spmv_f32_sell8_avx2"},
        {sell_batch<Ymm, Bfloat16>, "sell8_bf16", "spmv_bf16_sell8_avx2"},
        {sell_batch<Ymm, Float16>, "sell8_f16", "spmv_f16_sell8_avx2"},
        {sell_batch<Ymm, int8_t>, "sell8_i8", "spmv_i8_sell8_avx2"},
    }};

}  // namespace espalier
