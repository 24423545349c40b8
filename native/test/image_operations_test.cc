// Operations on images against naive loops over pixels, at odd geometries, for every instruction
// set and numbers of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "program/program.h"

namespace espalier {
namespace {

struct Geometry {
  int channels, height, width, filters, kernel_y, kernel_x, stride_y, stride_x, dilation_y,
      dilation_x, top, left, bottom, right, up_y, up_x;
  int frame_height() const { return top + (height - 1) * up_y + 1 + bottom; }
  int frame_width() const { return left + (width - 1) * up_x + 1 + right; }
  int out_height() const {
    return (frame_height() - (kernel_y - 1) * dilation_y - 1) / stride_y + 1;
  }
  int out_width() const { return (frame_width() - (kernel_x - 1) * dilation_x - 1) / stride_x + 1; }
  int out_pixels() const { return out_height() * out_width(); }
};

using Image = std::vector<double>;  // pixels x channels

// The padded image as the oracle sees it; absent where there is padding.
const double* at(const Geometry& g, const Image& x, int y, int col, int channel) {
  y -= g.top;
  col -= g.left;
  if (y < 0 || col < 0 || y % g.up_y != 0 || col % g.up_x != 0) return nullptr;
  y /= g.up_y;
  col /= g.up_x;
  if (y >= g.height || col >= g.width) return nullptr;
  return &x[(static_cast<size_t>(y) * g.width + col) * g.channels + channel];
}

template <typename Body>
void for_taps(const Geometry& g, const Image& x, int out_y, int out_x, int channel,
              const Body& body) {
  for (int ky = 0; ky < g.kernel_y; ++ky) {
    for (int kx = 0; kx < g.kernel_x; ++kx) {
      body(ky * g.kernel_x + kx, at(g, x, out_y * g.stride_y + ky * g.dilation_y,
                                    out_x * g.stride_x + kx * g.dilation_x, channel));
    }
  }
}

uint64_t plane(int pixels) { return (pixels + 15) / 16 * 16; }

// A program that takes pixels, makes planes and a frame, runs one operation on it and gives pixels.
struct Fixture {
  Geometry g;
  uint64_t out_channels;
  ProgramSpec spec;

  Fixture(const Geometry& geometry, uint64_t outputs, OperationSpec operation, bool lowest)
      : g(geometry), out_channels(outputs) {
    const auto n = [](int v) { return static_cast<uint64_t>(v); };
    const uint64_t phase = n((g.frame_height() + g.stride_y - 1) / g.stride_y) *
                           n((g.frame_width() + g.stride_x - 1) / g.stride_x);
    const uint64_t frame = plane(static_cast<int>(n(g.stride_y * g.stride_x) * phase + 16));
    const int pixels = g.height * g.width;
    spec.features = {n(pixels * g.channels), g.channels * plane(pixels), g.channels * frame,
                     outputs * plane(g.out_pixels()), outputs * n(g.out_pixels())};
    spec.inputs = {0};
    spec.outputs = {4};
    spec.operations = {
        {"to_planes", "in", {0}, 1, {}, {n(g.channels), n(pixels)}, {}, {}, {}},
        {"frame",
         "frame",
         {1},
         2,
         {},
         {n(g.channels), n(g.height), n(g.width), n(g.top), n(g.left), n(g.up_y), n(g.up_x),
          n(g.frame_height()), n(g.frame_width()), n(g.stride_y), n(g.stride_x), lowest ? 1u : 0u},
         {},
         {},
         {}},
        std::move(operation),
        {"to_pixels", "out", {3}, 4, {}, {outputs, n(g.out_pixels())}, {}, {}, {}}};
    OperationSpec& op = spec.operations[2];
    op.name = "op";
    op.inputs = {2};
    op.output = 3;
    for (int size : {1, g.frame_height(), g.frame_width(), g.stride_y, g.stride_x, g.kernel_y,
                     g.kernel_x, g.dilation_y, g.dilation_x, g.out_height(), g.out_width()}) {
      op.sizes.push_back(n(size));
    }
  }

  // Compares with oracle(sample, out_y, out_x, out_channel) at batches 1, 3 and 6.
  template <typename Oracle>
  void check(std::mt19937& random, const Oracle& oracle) {
    for (Isa isa : available_isas()) {
      for (int threads : {1, 2}) {
        Refused refused;
        ProgramOptions options;
        options.matrices.isa = isa;
        options.threads = threads;
        if (threads > 1) options.pool = std::make_shared<ThreadPool>(threads);
        const auto program = Program::make(spec, options, &refused);
        ASSERT_NE(program, nullptr) << refused.message;
        for (size_t batch : {1, 3, 6}) {
          const size_t in = spec.features[0], out = spec.features[4];
          std::vector<float> x(batch * in), y(batch * out, NAN);
          std::normal_distribution<float> normal;
          for (float& v : x) v = normal(random);
          Workspace workspace;
          ASSERT_TRUE(program->prepare(batch));
          const float* inputs[] = {x.data()};
          float* outputs[] = {y.data()};
          ASSERT_TRUE(program->run(workspace, batch, inputs, outputs));
          for (size_t s = 0; s < batch; ++s) {
            const Image image(x.begin() + s * in, x.begin() + (s + 1) * in);
            for (int oy = 0; oy < g.out_height(); ++oy) {
              for (int ox = 0; ox < g.out_width(); ++ox) {
                for (uint64_t c = 0; c < out_channels; ++c) {
                  const double expected = oracle(image, oy, ox, static_cast<int>(c));
                  const float received = y[s * out + (oy * g.out_width() + ox) * out_channels + c];
                  ASSERT_NEAR(received, expected, 1e-4 * (1 + std::fabs(expected)))
                      << isa_name(isa) << " batch " << batch << " sample " << s << " at " << oy
                      << "," << ox << "," << c;
                }
              }
            }
          }
        }
      }
    }
  }
};

const Geometry kGeometries[] = {
    // c  h   w   f  ky kx sy sx dy dx  t l b r  uy ux
    {3, 9, 11, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {4, 7, 7, 9, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1, 1},
    {2, 5, 19, 3, 1, 5, 1, 3, 1, 1, 0, 2, 0, 2, 1, 1},
    {5, 13, 4, 6, 2, 3, 1, 1, 3, 1, 2, 1, 1, 1, 1, 1},
    {6, 1, 1, 7, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    {16, 8, 8, 17, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
    {3, 1, 37, 8, 1, 4, 1, 2, 1, 2, 0, 6, 0, 0, 1, 1},
    {4, 5, 6, 3, 3, 4, 1, 1, 1, 1, 2, 2, 2, 3, 2, 3},  // transposed
    {2, 21, 17, 4, 5, 5, 3, 2, 1, 1, 2, 1, 2, 2, 1, 1},
    {1, 4, 4, 1, 4, 4, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},
};

TEST(ImageOperations, ConvolutionAgreesWithNaiveLoops) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const Geometry& g : kGeometries) {
    for (double density : {0.0, 0.3, 1.0}) {
      for (int groups : {1, 2}) {
        if (g.channels % groups != 0 || g.filters % groups != 0) continue;
        const int taps = g.kernel_y * g.kernel_x, group_channels = g.channels / groups;
        const uint32_t cols = group_channels * taps;
        std::vector<float> dense(size_t(g.filters) * cols), bias(g.filters);
        for (float& w : dense) {
          if (std::uniform_real_distribution<>()(random) < density) w = normal(random);
        }
        for (float& b : bias) b = normal(random);
        const Csr csr = csr_from_dense(dense.data(), g.filters, cols);
        OperationSpec op;
        op.type = "conv";
        op.sizes = {static_cast<uint64_t>(g.channels), static_cast<uint64_t>(groups)};
        op.matrices = {{csr.view(), csr.row_ptr.size(), csr.col_idx.size(), csr.values.size()}};
        op.floats = {{bias.data(), bias.size()}};
        op.activation = {ActivationKind::kRelu, 0, 0};
        Fixture fixture(g, g.filters, op, false);
        fixture.check(random, [&](const Image& x, int oy, int ox, int filter) {
          double sum = bias[filter];
          for (int c = 0; c < group_channels; ++c) {
            const int channel = filter / (g.filters / groups) * group_channels + c;
            for_taps(g, x, oy, ox, channel, [&](int tap, const double* value) {
              if (value != nullptr) sum += dense[size_t(filter) * cols + c * taps + tap] * *value;
            });
          }
          return std::max(sum, 0.0);
        });
      }
    }
  }
}

TEST(ImageOperations, DepthwiseAgreesWithNaiveLoops) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const Geometry& g : kGeometries) {
    for (ActivationKind kind : {ActivationKind::kRelu6, ActivationKind::kTanh}) {
      constexpr int kMultiplier = 2;
      const int taps = g.kernel_y * g.kernel_x, outputs = g.channels * kMultiplier;
      std::vector<float> weights(outputs * taps), bias(outputs);
      for (float& w : weights) w = normal(random);
      for (float& b : bias) b = normal(random);
      OperationSpec op;
      op.type = "depthwise";
      op.sizes = {static_cast<uint64_t>(g.channels), kMultiplier};
      op.floats = {{weights.data(), weights.size()}, {bias.data(), bias.size()}};
      op.activation = {kind, 0, 0};
      Fixture fixture(g, outputs, op, false);
      fixture.check(random, [&](const Image& x, int oy, int ox, int c) {
        double sum = bias[c];
        for_taps(g, x, oy, ox, c / kMultiplier, [&](int tap, const double* value) {
          if (value != nullptr) sum += weights[c * taps + tap] * *value;
        });
        return kind == ActivationKind::kTanh ? std::tanh(sum) : std::clamp(sum, 0.0, 6.0);
      });
    }
  }
}

TEST(ImageOperations, PoolingAgreesWithNaiveLoops) {
  std::mt19937 random(3);
  for (const Geometry& g : kGeometries) {
    if (g.up_y != 1) continue;  // windows with nothing in them have no maximum
    for (bool maximum : {true, false}) {
      std::vector<float> scale;
      for (int p = 0; p < g.out_pixels(); ++p) scale.push_back(0.25f + 0.5f * (p % 3));
      OperationSpec op;
      op.type = "pool";
      op.sizes = {static_cast<uint64_t>(g.channels)};
      op.floats = {{maximum ? nullptr : scale.data(), maximum ? 0 : scale.size()}};
      Fixture fixture(g, g.channels, op, maximum);
      fixture.check(random, [&](const Image& x, int oy, int ox, int c) {
        double most = -std::numeric_limits<double>::infinity(), sum = 0;
        for_taps(g, x, oy, ox, c, [&](int, const double* value) {
          if (value == nullptr) return;
          most = std::max(most, *value);
          sum += *value;
        });
        return maximum ? most : sum * scale[oy * g.out_width() + ox];
      });
    }
  }
}

TEST(ImageOperations, RefuseWindowsThatReachBeyondTheFrame) {
  const Geometry g = {2, 5, 5, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  OperationSpec op;
  op.type = "pool";
  op.sizes = {2};
  op.floats = {{nullptr, 0}};
  Fixture good(g, 2, op, true);
  Refused refused;
  ASSERT_NE(Program::make(good.spec, {}, &refused), nullptr) << refused.message;
  // kernelHeight, kernelWidth, dilationY, dilationX, outHeight, outWidth
  for (size_t field : {6, 7, 8, 9, 10, 11}) {
    for (uint64_t value :
         {good.spec.operations[2].sizes[field] + 1, uint64_t{0}, uint64_t{1} << 39, UINT64_MAX}) {
      ProgramSpec bad = good.spec;
      bad.operations[2].sizes[field] = value;
      EXPECT_EQ(Program::make(bad, {}, &refused), nullptr) << field << " " << value;
    }
  }
}

TEST(ImageOperations, GatherReordersRepeatsAndPads) {
  const std::vector<int32_t> index = {2, -1, 0, 2};
  ProgramSpec spec;
  spec.features = {6, 8};
  spec.inputs = {0};
  spec.outputs = {1};
  OperationSpec op;
  op.type = "gather";
  op.name = "gather";
  op.inputs = {0};
  op.output = 1;
  op.sizes = {2};
  op.indices = {{index.data(), index.size()}};
  spec.operations = {op};
  Refused refused;
  const auto program = Program::make(spec, {}, &refused);
  ASSERT_NE(program, nullptr) << refused.message;
  for (size_t batch : {1, 7}) {
    std::vector<float> x(batch * 6), y(batch * 8);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
    Workspace workspace;
    ASSERT_TRUE(program->prepare(batch));
    const float* inputs[] = {x.data()};
    float* outputs[] = {y.data()};
    ASSERT_TRUE(program->run(workspace, batch, inputs, outputs));
    for (size_t s = 0; s < batch; ++s) {
      for (size_t run = 0; run < 2; ++run) {
        for (size_t i = 0; i < 4; ++i) {
          const float expected = index[i] < 0 ? 0.0f : x[s * 6 + run * 3 + index[i]];
          EXPECT_EQ(y[s * 8 + run * 4 + i], expected);
        }
      }
    }
  }
  const std::vector<int32_t> beyond = {2, 3, 0, 2}, below = {2, -2, 0, 2};
  for (const auto& bad : {beyond, below}) {
    spec.operations[0].indices = {{bad.data(), bad.size()}};
    EXPECT_EQ(Program::make(spec, {}, &refused), nullptr);
  }
}

}  // namespace
}  // namespace espalier
