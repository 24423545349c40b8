// Image kernels (image.h) for any vector type (kernels/linear/vector.h): neighbouring outputs of a
// row are the lanes.
#ifndef ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_VECTOR_H_

#include "kernels/image/image.h"
#include "kernels/linear/vector.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

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

// All ones in the lanes where a or b is NaN. Compilers make two comparisons of what x86 has one
// for.
template <typename Vector>
ESPALIER_INLINE auto unordered(Vector a, Vector b) {
  using Lanes = decltype(a != b);
#ifdef __AVX2__
  if constexpr (sizeof(Vector) == 32) {
    return reinterpret_cast<Lanes>(_mm256_cmp_ps(a, b, _CMP_UNORD_Q));
  }
#endif
#ifdef __SSE2__
  if constexpr (sizeof(Vector) == 16) return reinterpret_cast<Lanes>(_mm_cmpunord_ps(a, b));
#endif
  return static_cast<Lanes>((a != a) | (b != b));
}

// Whether a comparison lets a NaN through depends on the order of its operands, so NaN is looked
// for apart, two taps at a time: the mask of a lane that has one is a NaN itself, read as a float.
template <typename V>
void maximum(const Window& window, const float* frame, float* y) {
  using Vector = typename V::Vector;
  for_outputs<V, 4>(
      window,
      y, [&](size_t from, size_t, Vector * out, int vectors) __attribute__((always_inline)) {
        const auto tap = [&](uint32_t t, int v) __attribute__((always_inline)) {
          return V::load(frame + window.offsets[t] + from + v * V::kWidth);
        };
        using Lanes = decltype(out[0] != out[0]);
        Lanes is_nan[4];
        for (int v = 0; v < vectors; ++v) {
          out[v] = tap(0, v);
          is_nan[v] = unordered(out[v], out[v]);
        }
        uint32_t t = 1;
        for (; t + 2 <= window.taps; t += 2) {
          for (int v = 0; v < vectors; ++v) {
            const Vector a = tap(t, v), b = tap(t + 1, v);
            out[v] = a > out[v] ? a : out[v];
            out[v] = b > out[v] ? b : out[v];
            is_nan[v] |= unordered(a, b);
          }
        }
        for (; t < window.taps; ++t) {
          for (int v = 0; v < vectors; ++v) {
            const Vector a = tap(t, v);
            out[v] = a > out[v] ? a : out[v];
            is_nan[v] |= unordered(a, a);
          }
        }
        for (int v = 0; v < vectors; ++v) {
          out[v] = reinterpret_cast<Vector>(reinterpret_cast<Lanes>(out[v]) | is_nan[v]);
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
