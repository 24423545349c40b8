// Image kernels (image.h) for any vector type (kernels/linear/vector.h): neighbouring outputs of a
// row are the lanes.
#ifndef ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_VECTOR_H_

#include "kernels/image/image.h"
#include "kernels/linear/vector.h"

namespace espalier {
namespace {

// Calls body(from, to, store) for each vector of outputs: `from` is their place in the frame, `to`
// that in the plane. A vector that reaches beyond its row is stored whole where the plane has room:
// the next row writes over it.
template <typename V, int kVectors, typename Compute>
ESPALIER_INLINE void for_outputs(const Window& window, float* y, const Compute& compute) {
  constexpr uint32_t kWidth = V::kWidth;
  for (uint32_t row = 0; row < window.out_height; ++row) {
    const size_t from = static_cast<size_t>(row) * window.row_stride;
    const size_t to = static_cast<size_t>(row) * window.out_width;
    uint32_t x = 0;
    for (; x + kVectors * kWidth <= window.out_width; x += kVectors * kWidth) {
      typename V::Vector out[kVectors];
      compute(from + x, to + x, out, kVectors);
      ESPALIER_UNROLL for (int v = 0; v < kVectors; ++v) V::store(y + to + x + v * kWidth, out[v]);
    }
    for (; x < window.out_width; x += kWidth) {
      typename V::Vector out[kVectors];
      compute(from + x, to + x, out, 1);
      const uint32_t live = window.out_width - x;
      if (to + x + kWidth <= window.out_plane) {
        V::store(y + to + x, out[0]);
      } else {
        V::store_first(y + to + x, out[0], live < kWidth ? live : kWidth);
      }
    }
  }
}

template <typename V>
void weighted(const Window& window, const float* weights, float bias, Activation activation,
              const float* frame, float* y) {
  const Epilogue epilogue = {nullptr, activation.kind, activation.alpha};
  for_outputs<V, 4>(
      window, y,
      [&](size_t from, size_t, typename V::Vector * out, int vectors)
          __attribute__((always_inline)) {
            typename V::Vector sums[4];
            for (int v = 0; v < vectors; ++v) sums[v] = V::broadcast(&bias);
            for (uint32_t t = 0; t < window.taps; ++t) {
              const float* x = frame + window.offsets[t] + from;
              const typename V::Vector weight = V::broadcast(weights + t);
              for (int v = 0; v < vectors; ++v) {
                sums[v] = V::fma(weight, V::load(x + v * V::kWidth), sums[v]);
              }
            }
            for (int v = 0; v < vectors; ++v) out[v] = V::activate(epilogue, sums[v]);
          });
}

template <typename V>
void maximum(const Window& window, const float* frame, float* y) {
  for_outputs<V, 4>(
      window, y,
      [&](size_t from, size_t, typename V::Vector * out, int vectors)
          __attribute__((always_inline)) {
            for (int v = 0; v < vectors; ++v) {
              out[v] = V::load(frame + window.offsets[0] + from + v * V::kWidth);
            }
            for (uint32_t t = 1; t < window.taps; ++t) {
              const float* x = frame + window.offsets[t] + from;
              for (int v = 0; v < vectors; ++v) {
                const typename V::Vector value = V::load(x + v * V::kWidth);
                out[v] = value > out[v] ? value : out[v];
              }
            }
          });
}

template <typename V>
void scaled_sum(const Window& window, const float* scale, const float* frame, float* y) {
  for_outputs<V, 4>(
      window, y,
      [&](size_t from, size_t to, typename V::Vector * out, int vectors)
          __attribute__((always_inline)) {
            for (int v = 0; v < vectors; ++v) out[v] = V::zero();
            for (uint32_t t = 0; t < window.taps; ++t) {
              const float* x = frame + window.offsets[t] + from;
              for (int v = 0; v < vectors; ++v) out[v] = V::add(out[v], V::load(x + v * V::kWidth));
            }
            for (int v = 0; v < vectors; ++v) {
              out[v] = out[v] * V::load(scale + to + v * V::kWidth);
            }
          });
}

template <typename V>
constexpr ImageKernels image_kernels_of() {
  return {weighted<V>, maximum<V>, scaled_sum<V>};
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_VECTOR_H_
