// The SELL kernel for AVX2.
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_avx2.h"

namespace espalier {

const SellKernels kSellAvx2 = {Ymm::kWidth, sell_batch<Ymm>, "sell8", "spmv_f32_sell8_avx2"};

}  // namespace espalier
