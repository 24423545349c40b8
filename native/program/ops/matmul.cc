// Products of two computed values, by heads: y[h, i, j] = sum over l of a[h, i, l] b[h, j, l]. The
// steps of a and b say how they lie; rows of y are contiguous.
#include <cstring>

#include "kernels/tensor/tensor.h"
#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"

namespace espalier {
namespace {

struct Steps {
  size_t head, row, col;
  size_t at(size_t h, size_t i, size_t l) const { return h * head + i * row + l * col; }
};

class Matmul final : public Operation {
 public:
  Matmul(const std::vector<uint64_t>& s, Isa isa)
      : kernels_(elementwise_kernels(isa)),
        tensor_(tensor_kernels(isa)),
        isa_(isa),
        heads_(s[0]),
        m_(s[1]),
        n_(s[2]),
        k_(s[3]),
        a_{s[4], s[5], s[6]},
        b_{s[7], s[8], s[9]},
        y_{s[10], s[11], 1} {}

  // One row a sample is best with a sample in each lane; matrices are best one by one.
  bool samples_only() const override { return m_ > 1 || heads_ > 1; }

  int parts(int n, int max_parts) const override {
    constexpr double kPartNs = 8000;  // a thread is worth waking for this much
    const double units = n <= kSampleMajorMax ? static_cast<double>(n) * heads_ : m_ * n_ * heads_;
    const double worth = std::min(predicted_ns(n) / kPartNs, units);
    return std::max(1, std::min(max_parts, static_cast<int>(worth)));
  }
  size_t scratch(int n) const override { return n <= kSampleMajorMax ? k_ * width() : 0; }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    const size_t total = call.n * heads_, end = total * (part + 1) / parts;
    for (size_t i = total * part / parts; i < end; ++i) {
      const size_t s = i / heads_, h = i % heads_;
      pack(call.input(1).data + s * call.input(1).stride + h * b_.head, call.scratch);
      tensor_.product(call.input(0).data + s * call.input(0).stride + h * a_.head, a_.row, a_.col,
                      call.scratch, width(), call.output + s * call.output_stride + h * y_.head,
                      y_.row, m_, n_, k_);
    }
  }

  void run_panel(const OperationCall& call, int part, int parts) const override {
    const size_t ld_a = call.input(0).stride, ld_b = call.input(1).stride;
    const size_t total = heads_ * m_ * n_, end = total * (part + 1) / parts;
    for (size_t i = total * part / parts; i < end; ++i) {
      const size_t h = i / (m_ * n_), row = i / n_ % m_, col = i % n_;
      const float* a = call.input(0).data + a_.at(h, row, 0) * ld_a;
      const float* b = call.input(1).data + b_.at(h, col, 0) * ld_b;
      float* y = call.output + y_.at(h, row, col) * call.output_stride;
      for (int c = 0; c < call.n; c += 16) {
        tensor_.column_product(a + c, a_.col * ld_a, b + c, b_.col * ld_b, y + c, k_);
      }
    }
  }

  double predicted_ns(int n) const override {
    const double columns = n <= kSampleMajorMax ? n : static_cast<double>(aligned_values(n));
    return 20 + 0.1 * columns * heads_ * k_ * (static_cast<double>(m_) * n_ + n_);
  }
  OperationInfo info(int n) const override {
    OperationInfo info;
    info.layout = "none";
    info.kernel = std::string("matmul_f32_") + isa_name(isa_);
    info.reason = "both factors are computed";
    info.predicted_ns = info.dense_ns = predicted_ns(n);
    return info;
  }

 private:
  size_t width() const { return aligned_values(n_); }

  // b of one head as [k][width].
  void pack(const float* b, float* packed) const {
    if (width() != n_) {
      for (size_t l = 0; l < k_; ++l) {
        std::memset(packed + l * width() + n_, 0, (width() - n_) * sizeof(float));
      }
    }
    if (b_.row == 1) {
      for (size_t l = 0; l < k_; ++l) {
        std::memcpy(packed + l * width(), b + l * b_.col, n_ * sizeof(float));
      }
    } else if (b_.col == 1) {
      kernels_.transpose(b, b_.row, packed, width(), n_, k_);
    } else {
      for (size_t l = 0; l < k_; ++l) {
        for (size_t j = 0; j < n_; ++j) packed[l * width() + j] = b[j * b_.row + l * b_.col];
      }
    }
  }

  const ElementwiseKernels& kernels_;
  const TensorKernels& tensor_;
  Isa isa_;
  size_t heads_, m_, n_, k_;
  Steps a_, b_, y_;
};

// A value has as many numbers as its extents tell, and the steps stay inside of it.
void require_inside(const char* name, uint64_t features, const uint64_t* extents,
                    const uint64_t* steps) {
  uint64_t last = 0, count = 1;
  for (int i = 0; i < 3; ++i) {
    if (steps[i] > kMostExtent) refuse_model(std::string(name) + ": its steps are too large");
    last += (extents[i] - 1) * steps[i];
    count = feature_product(count, extents[i]);
  }
  require_features(features, count, name);
  if (last >= features) refuse_model(std::string(name) + ": its steps lead out of it");
}

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const std::vector<uint64_t>& s = spec.sizes;
  for (size_t i = 0; i < 4; ++i) require_extent(s[i], "heads, rows, columns and depth");
  if (context.input_features.size() != 2) refuse_model("inputs: expected two");
  const uint64_t heads = s[0], m = s[1], n = s[2], k = s[3];
  const uint64_t a[] = {heads, m, k}, b[] = {heads, n, k};
  require_inside("input a", context.input_features[0], a, &s[4]);
  require_inside("input b", context.input_features[1], b, &s[7]);
  require_features(context.output_features, feature_product(feature_product(heads, m), n),
                   "output");
  const auto lies = [](uint64_t extent, uint64_t step, uint64_t wanted) {
    return extent == 1 || step == wanted;
  };
  const bool by_heads = lies(m, s[11], n) && lies(heads, s[10], m * n);
  const bool by_rows = lies(heads, s[10], n) && lies(m, s[11], heads * n);
  if (!by_heads && !by_rows) refuse_model("yHead and yRow: expected rows side by side");
  return std::make_unique<Matmul>(s, context.isa);
}

}  // namespace

extern const OperationType kMatmulType = {"matmul",
                                          true,
                                          {{"heads", FieldKind::kSize},
                                           {"rows", FieldKind::kSize},
                                           {"columns", FieldKind::kSize},
                                           {"depth", FieldKind::kSize},
                                           {"aHead", FieldKind::kSize},
                                           {"aRow", FieldKind::kSize},
                                           {"aCol", FieldKind::kSize},
                                           {"bHead", FieldKind::kSize},
                                           {"bRow", FieldKind::kSize},
                                           {"bCol", FieldKind::kSize},
                                           {"yHead", FieldKind::kSize},
                                           {"yRow", FieldKind::kSize}},
                                          make};

}  // namespace espalier
