// A Dense layer (matrix product, bias, relu) of oneDNN with weights packed as it likes, one thread,
// as a rival for bench/kernels.mjs, which gives it its turns:
//
//   onednn_matmul ROWS COLS BATCH [COPIES]
//
// Made and warmed up, it writes "ready IMPLEMENTATION". For each number that it then reads it makes
// as many calls and writes the nanoseconds that they took. It ends with its input. COPIES of the
// weights take turns, so that together they exceed a cache.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

namespace {

using dnnl::memory;

std::vector<float> noise(size_t size) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
  std::vector<float> values(size);
  for (float& value : values) value = uniform(random);
  return values;
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const memory::desc& x,
                                      const memory::desc& w, const memory::desc& b,
                                      const memory::desc& y) {
  dnnl::post_ops relu;
  dnnl::primitive_attr attributes;
#if DNNL_VERSION_MAJOR < 3
  relu.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  attributes.set_post_ops(relu);
  return {dnnl::matmul::desc(x, w, b, y), attributes, engine};
#else
  relu.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  attributes.set_post_ops(relu);
  return {engine, x, w, b, y, attributes};
#endif
}

int run(memory::dim rows, memory::dim cols, memory::dim batch, int copies) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  constexpr auto kFloat = memory::data_type::f32;
  using Tag = memory::format_tag;
  const memory::desc x_desc({batch, cols}, kFloat, Tag::ab), y_desc({batch, rows}, kFloat, Tag::ab);
  const memory::desc any_weights({cols, rows}, kFloat, Tag::any);
  const memory::desc plain_weights({cols, rows}, kFloat, Tag::ba),
      b_desc({1, rows}, kFloat, Tag::ab);
  const auto description = describe(engine, x_desc, any_weights, b_desc, y_desc);
  const dnnl::matmul matmul(description);

  std::vector<float> weights = noise(static_cast<size_t>(rows * cols));
  std::vector<float> x = noise(static_cast<size_t>(batch * cols)), bias = noise(rows);
  std::vector<float> y(static_cast<size_t>(batch * rows));
  memory given(plain_weights, engine, weights.data());
  std::vector<std::unordered_map<int, memory>> arguments;
  for (int i = 0; i < copies; ++i) {
    memory packed(description.weights_desc(), engine);
    dnnl::reorder(given, packed).execute(stream, given, packed);
    stream.wait();
    arguments.push_back({{DNNL_ARG_SRC, memory(x_desc, engine, x.data())},
                         {DNNL_ARG_WEIGHTS, packed},
                         {DNNL_ARG_BIAS, memory(b_desc, engine, bias.data())},
                         {DNNL_ARG_DST, memory(y_desc, engine, y.data())}});
  }
  int next = 0;
  const auto call = [&] {
    matmul.execute(stream, arguments[next]);
    stream.wait();
    next = (next + 1) % copies;
  };
  for (int i = 0; i < 6; ++i) call();
  std::printf("ready %s\n", description.impl_info_str());
  std::fflush(stdout);
  for (int calls; std::scanf("%d", &calls) == 1;) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) call();
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    std::printf("%.0f\n", taken.count());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: onednn_matmul ROWS COLS BATCH [COPIES]\n");
    return 2;
  }
  try {
    return run(std::atoi(argv[1]), std::atoi(argv[2]), std::atoi(argv[3]),
               argc > 4 ? std::atoi(argv[4]) : 1);
  } catch (const dnnl::error& error) {
    std::fprintf(stderr, "oneDNN: %s\n", error.what());
    return 1;
  }
}
