// check_csr over arbitrary arrays, and packing and running whatever it lets through.
#include <cstring>
#include <vector>

#include "kernels/linear/linear.h"
#include "sparse/csr.h"

using namespace espalier;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 6) return 0;
  CsrView csr;
  csr.rows = data[0];
  csr.cols = data[1] | (data[2] & 1) << 8;
  const size_t row_ptr_length = data[3], nnz = data[4];
  const bool wild = data[5] & 1;
  data += 6;
  size -= 6;
  // Small numbers, so that many matrices are well formed; or any.
  const auto next = [&]() -> int32_t {
    if (wild && size >= 4) {
      int32_t value;
      std::memcpy(&value, data, 4);
      data += 4;
      size -= 4;
      return value;
    }
    if (size == 0) return 0;
    --size;
    return *data++;
  };
  std::vector<int32_t> row_ptr(row_ptr_length), col_idx(nnz);
  std::vector<float> values(nnz);
  int32_t sum = 0;
  for (int32_t& entry : row_ptr) {
    entry = wild ? next() : sum;
    sum += wild ? 0 : next() % 8;
  }
  for (int32_t& entry : col_idx) entry = next();
  for (float& value : values) {
    const int32_t bits = next();
    if (wild) {
      std::memcpy(&value, &bits, 4);
    } else {
      value = static_cast<float>(bits - 100);
    }
  }
  csr.row_ptr = row_ptr.data();
  csr.col_idx = col_idx.data();
  csr.values = values.data();
  if (check_csr(csr, row_ptr.size(), col_idx.size(), values.size()) != nullptr) return 0;
  for (Isa isa : {Isa::kPortable, best_isa()}) {
    LinearOptions options;
    options.isa = isa;
    const auto linear = Linear::make(csr, nullptr, {}, options);
    if (linear == nullptr) continue;
    std::vector<float> x(size_t{64} * csr.cols, 1.0f), y(size_t{64} * csr.rows);
    if (csr.rows == 0 || csr.cols == 0) continue;
    if (linear->prepare(1)) linear->run_samples(x.data(), csr.cols, y.data(), csr.rows, 1, 0, 1);
    if (linear->prepare(64)) linear->run_panel(x.data(), 64, y.data(), 64, 64, 0, 1);
  }
  return 0;
}
