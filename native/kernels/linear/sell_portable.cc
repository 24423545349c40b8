// The SELL kernel for any machine.
#include "kernels/linear/sell_vector.h"
#include "kernels/linear/vector_portable.h"

namespace espalier {

const SellKernels kSellPortable = {Quad::kWidth, sell_batch<Quad>, "sell4",
                                   "spmv_f32_sell4_portable"};

}  // namespace espalier
