// What one core of this machine can do at most, for the shares that bench/kernels.mjs tells:
// {"fmaGflops": FMA of float32 in the widest vectors, "cacheGBs": reading 1 MiB, "memoryGBs":
// reading 256 MiB}.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
typedef float Vector __attribute__((vector_size(4 * kWidth)));

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The best of some tries, since whatever else the machine does only makes them longer.
template <typename F>
double best_seconds(F&& f) {
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    const double start = seconds();
    f();
    best = std::min(best, seconds() - start);
  }
  return best;
}

// Variables of their own stay in registers, which arrays do not always.
double fma_gflops() {
  constexpr int kChains = 10, kLoops = 200000;
  Vector a = {}, b = {};
  a += 0.5f;
  b += 1.0f;
  volatile float sink = 0.0f;
  const double time = best_seconds([&sink, a, b] {
    // All different, or the compiler computes only one of those that are alike.
    Vector s0 = b * 0.1f, s1 = b * 0.2f, s2 = b * 0.3f, s3 = b * 0.4f, s4 = b * 0.5f;
    Vector s5 = b * 0.6f, s6 = b * 0.7f, s7 = b * 0.8f, s8 = b * 0.9f, s9 = b * 1.1f;
    for (int i = 0; i < kLoops; ++i) {
      s0 = s0 * a + b;
      s1 = s1 * a + b;
      s2 = s2 * a + b;
      s3 = s3 * a + b;
      s4 = s4 * a + b;
      s5 = s5 * a + b;
      s6 = s6 * a + b;
      s7 = s7 * a + b;
      s8 = s8 * a + b;
      s9 = s9 * a + b;
      __asm__ volatile("" ::: "memory");
    }
    sink = sink + (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9)[0];
  });
  return 2.0 * kWidth * kChains * kLoops / time / 1e9;
}

double read_gbs(size_t bytes) {
  std::vector<float> data(bytes / sizeof(float), 1.0f);
  volatile float sink = 0.0f;
  const double time = best_seconds([&] {
    Vector s0 = {}, s1 = {}, s2 = {}, s3 = {};
    const auto at = [p = reinterpret_cast<const char*>(data.data())](size_t i) {
      Vector value;
      __builtin_memcpy(&value, p + i, sizeof(value));
      return value;
    };
    for (size_t i = 0; i + 4 * sizeof(Vector) <= bytes; i += 4 * sizeof(Vector)) {
      s0 += at(i);
      s1 += at(i + sizeof(Vector));
      s2 += at(i + 2 * sizeof(Vector));
      s3 += at(i + 3 * sizeof(Vector));
    }
    sink = sink + (s0 + s1 + s2 + s3)[0];
  });
  return static_cast<double>(bytes) / time / 1e9;
}

}  // namespace

int main() {
  std::printf("{\"fmaGflops\": %.1f, \"cacheGBs\": %.1f, \"memoryGBs\": %.1f}\n", fma_gflops(),
              read_gbs(size_t{1} << 20), read_gbs(size_t{1} << 28));
  return 0;
}
