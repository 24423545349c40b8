// The elementwise kernels for any vector width: see functions.h for who includes this and how.
#ifndef ESPALIER_NATIVE_KERNELS_ELEMENTWISE_KERNELS_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_ELEMENTWISE_KERNELS_VECTOR_H_

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/functions.h"

namespace espalier {
namespace {

// y[i] = f(x[i]); x may be y.
template <typename F>
ESPALIER_INLINE void map(const float* x, float* y, size_t n, F f) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, f(load(x + i)));
  if (i < n) store_first(y + i, f(load_first(x + i, n - i)), n - i);
}

#define ESPALIER_LAMBDA [=](Floats v) __attribute__((always_inline))

void activate(Activation activation, float* data, size_t n) {
  const float alpha = activation.alpha, beta = activation.beta;
  switch (activation.kind) {
    case ActivationKind::kLinear:
      return;
    case ActivationKind::kRelu:
      return map(
          data, data, n, ESPALIER_LAMBDA { return at_least(v, 0.0f); });
    case ActivationKind::kRelu6:
      return map(
          data, data, n, ESPALIER_LAMBDA { return at_most(at_least(v, 0.0f), 6.0f); });
    case ActivationKind::kLeakyRelu:
      return map(
          data, data, n, ESPALIER_LAMBDA { return v < Floats{} ? v * alpha : v; });
    case ActivationKind::kElu:
      return map(
          data, data, n, ESPALIER_LAMBDA { return elu(v, alpha); });
    case ActivationKind::kSelu:
      return map(
          data, data, n,
          ESPALIER_LAMBDA { return 1.05070098735548049f * elu(v, 1.67326324235437728f); });
    case ActivationKind::kSigmoid:
      return map(
          data, data, n, ESPALIER_LAMBDA { return sigmoid(v); });
    case ActivationKind::kHardSigmoid:
      return map(
          data, data, n,
          ESPALIER_LAMBDA { return at_most(at_least(v * alpha + beta, 0.0f), 1.0f); });
    case ActivationKind::kTanh:
      return map(
          data, data, n, ESPALIER_LAMBDA { return tanh(v); });
    case ActivationKind::kSoftplus:
      return map(
          data, data, n, ESPALIER_LAMBDA { return softplus(v); });
    case ActivationKind::kSoftsign:
      return map(
          data, data, n, ESPALIER_LAMBDA { return v / (1.0f + absolute(v)); });
    case ActivationKind::kGelu:
      return map(
          data, data, n, ESPALIER_LAMBDA { return v * normal_cdf(v); });
    case ActivationKind::kGeluTanh:
      // 0.5 (1 + tanh(u)) is sigmoid(2 u), without the cancellation.
      return map(
          data, data, n, ESPALIER_LAMBDA {
            return v * sigmoid(1.59576912160573071f * (v + 0.044715f * (v * v * v)));
          });
    case ActivationKind::kSwish:
      return map(
          data, data, n, ESPALIER_LAMBDA { return v * sigmoid(v); });
    case ActivationKind::kExponential:
      return map(
          data, data, n, ESPALIER_LAMBDA { return exp(v); });
    case ActivationKind::kMish:
      return map(
          data, data, n, ESPALIER_LAMBDA { return mish(v); });
    case ActivationKind::kHardSwish:
      return map(
          data, data, n,
          ESPALIER_LAMBDA { return v * (at_most(at_least(v + 3.0f, 0.0f), 6.0f) / 6.0f); });
    case ActivationKind::kLogSigmoid:
      return map(
          data, data, n, ESPALIER_LAMBDA { return -softplus(-v); });
    case ActivationKind::kTanhShrink:
      return map(
          data, data, n, ESPALIER_LAMBDA { return v - tanh(v); });
    case ActivationKind::kSquareplus:
      return map(
          data, data, n, ESPALIER_LAMBDA { return squareplus(v); });
    case ActivationKind::kHardShrink:
      return map(
          data, data, n, ESPALIER_LAMBDA { return absolute(v) <= splat(alpha) ? Floats{} : v; });
    case ActivationKind::kSoftShrink:
      return map(
          data, data, n,
          ESPALIER_LAMBDA { return with_sign_of(at_least(absolute(v) - alpha, 0.0f), v); });
    case ActivationKind::kThreshold:
      return map(
          data, data, n, ESPALIER_LAMBDA {
            const Floats below = beta == 0.0f ? Floats{} : beta * (v - alpha);
            return v < splat(alpha) ? below : v;
          });
    case ActivationKind::kClip:
      return map(
          data, data, n, ESPALIER_LAMBDA { return at_most(at_least(v, alpha), beta); });
    case ActivationKind::kClippedLeakyRelu:
      return map(
          data, data, n, ESPALIER_LAMBDA { return at_most(v < Floats{} ? v * alpha : v, beta); });
  }
}

void scale_offset(const float* x, float scale, float offset, float* y, size_t n) {
  map(
      x, y, n, ESPALIER_LAMBDA { return v * scale + offset; });
}

void affine(const float* x, const float* scale, const float* offset, float* y, size_t n) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    store(y + i, load(x + i) * load(scale + i) + load(offset + i));
  }
  for (; i < n; ++i) y[i] = x[i] * scale[i] + offset[i];
}

void accumulate(const float* x, float* y, size_t n) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, load(y + i) + load(x + i));
  for (; i < n; ++i) y[i] += x[i];
}

// One sample: the group lies in the lanes.
void softmax_row(const float* x, float* y, size_t group) {
  const float kLowest = -__builtin_inff();
  Floats most = splat(kLowest);
  size_t i = 0;
  for (; i + kWidth <= group; i += kWidth) {
    const Floats v = load(x + i);
    most = v > most ? v : most;
  }
  float largest = kLowest;
  for (size_t lane = 0; lane < kWidth; ++lane)
    largest = most[lane] > largest ? most[lane] : largest;
  for (; i < group; ++i) largest = x[i] > largest ? x[i] : largest;
  Floats sums{};
  for (i = 0; i + kWidth <= group; i += kWidth) {
    const Floats e = exp(load(x + i) - largest);
    store(y + i, e);
    sums += e;
  }
  if (i < group) {
    const Floats e = exp(load_first(x + i, group - i) - largest);
    store_first(y + i, e, group - i);
    sums += load_first(y + i, group - i);
  }
  float sum = 0;
  for (size_t lane = 0; lane < kWidth; ++lane) sum += sums[lane];
  map(
      y, y, group, ESPALIER_LAMBDA { return v / sum; });
}

// The columns are the lanes; Load and Store take whole vectors or the first few lanes.
template <typename Load, typename Store>
ESPALIER_INLINE void softmax_columns(const float* x, size_t stride, float* y, size_t y_stride,
                                     size_t group, Load load_columns, Store store_columns) {
  Floats most = splat(-__builtin_inff());
  for (size_t i = 0; i < group; ++i) {
    const Floats v = load_columns(x + i * stride);
    most = v > most ? v : most;
  }
  Floats sum{};
  for (size_t i = 0; i < group; ++i) {
    const Floats e = exp(load_columns(x + i * stride) - most);
    store_columns(y + i * y_stride, e);
    sum += e;
  }
  for (size_t i = 0; i < group; ++i) {
    store_columns(y + i * y_stride, load_columns(y + i * y_stride) / sum);
  }
}

void softmax(const float* x, size_t stride, float* y, size_t y_stride, size_t group, size_t n) {
  if (n == 1 && stride == 1 && y_stride == 1) return softmax_row(x, y, group);
  size_t c = 0;
  for (; c + kWidth <= n; c += kWidth) {
    softmax_columns(
        x + c, stride, y + c, y_stride, group,
        [](const float* p) __attribute__((always_inline)) { return load(p); },
        [](float* p, Floats v) __attribute__((always_inline)) { store(p, v); });
  }
  const size_t left = n - c;
  if (left == 0) return;
  softmax_columns(
      x + c, stride, y + c, y_stride,
      group, [left](const float* p) __attribute__((always_inline)) { return load_first(p, left); },
      [left](float* p, Floats v) __attribute__((always_inline)) { store_first(p, v, left); });
}

// Block(src, ld_src, dst, ld_dst) transposes kSide x kSide.
template <size_t kSide, typename Block>
ESPALIER_INLINE void transpose_blocks(const float* src, size_t ld_src, float* dst, size_t ld_dst,
                                      size_t rows, size_t cols, Block block) {
  size_t c = 0;
  for (; c + kSide <= cols; c += kSide) {
    size_t r = 0;
    for (; r + kSide <= rows; r += kSide) {
      block(src + r * ld_src + c, ld_src, dst + c * ld_dst + r, ld_dst);
    }
    for (; r < rows; ++r) {
      for (size_t i = c; i < c + kSide; ++i) dst[i * ld_dst + r] = src[r * ld_src + i];
    }
  }
  for (; c < cols; ++c) {
    for (size_t r = 0; r < rows; ++r) dst[c * ld_dst + r] = src[r * ld_src + c];
  }
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_ELEMENTWISE_KERNELS_VECTOR_H_
