// Windows over images: depthwise convolution and pooling.
//
// A channel of an image is a plane: its pixels row by row, and room up to the next multiple of 16
// floats whose contents mean nothing. Windows are taken from frames: a plane with its padding
// around it, cut into stride_y x stride_x phases, so that neighbouring outputs read neighbouring
// floats whatever the stride. After a channel's phases come at least kFrameSlack floats that may be
// read.
#ifndef ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_H_
#define ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_H_

#include <cstddef>
#include <cstdint>

#include "cpu/features.h"
#include "kernels/activation.h"

namespace espalier {

inline constexpr size_t kFrameSlack = 16;

// Output pixel (y, x) reads frame[offsets[t] + y * row_stride + x] for each tap t.
struct Window {
  uint32_t taps;
  const uint32_t* offsets;
  uint32_t out_height;
  uint32_t out_width;
  uint32_t row_stride;
  size_t out_plane;  // floats that may be written, at least out_height * out_width
};

// One channel a call. `frame`: its first float; y: its plane.
struct ImageKernels {
  // y = act(bias + sum over taps of weights[t] * frame[...]), summed in the order of the taps. Only
  // the kinds of is_fused.
  void (*weighted)(const Window& window, const float* weights, float bias, Activation activation,
                   const float* frame, float* y);
  // y = the greatest; NaN where one of them is NaN.
  void (*maximum)(const Window& window, const float* frame, float* y);
  // y[p] = scale[p] * the sum.
  void (*scaled_sum)(const Window& window, const float* scale, const float* frame, float* y);
};

// For an available instruction set.
const ImageKernels& image_kernels(Isa isa);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_IMAGE_IMAGE_H_
