// What one core of this machine can do at most, for the shares that bench/kernels.mjs tells:
// {"fmaGflops": FMA of float32 in the widest vectors, "cacheGBs": reading 1 MiB, "memoryGBs":
// reading 256 MiB}.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#if defined(__x86_64__)
#define ESPALIER_VECTOR_REGISTER "x"
#else
#define ESPALIER_VECTOR_REGISTER "w"
#endif

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

double fma_gflops() {
  constexpr int kChains = 12, kLoops = 200000;
  Vector a = {}, b = {};
  a += 1e-9f;
  b += 1.0f;
  const double time = best_seconds([a, b] {
    Vector local[kChains] = {};
    for (int i = 0; i < kLoops; ++i) {
#pragma GCC unroll 12
      for (int c = 0; c < kChains; ++c) {
        local[c] = a * b + local[c];
        __asm__ volatile("" : "+" ESPALIER_VECTOR_REGISTER(local[c]));
      }
    }
  });
  return 2.0 * kWidth * kChains * kLoops / time / 1e9;
}

double read_gbs(size_t bytes) {
  std::vector<float> data(bytes / sizeof(float), 1.0f);
  const double time = best_seconds([&] {
    Vector sums[4] = {};
    const char* p = reinterpret_cast<const char*>(data.data());
    for (size_t i = 0; i + 4 * sizeof(Vector) <= bytes; i += 4 * sizeof(Vector)) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        Vector value;
        __builtin_memcpy(&value, p + i + v * sizeof(Vector), sizeof(value));
        sums[v] += value;
        __asm__ volatile("" : "+" ESPALIER_VECTOR_REGISTER(sums[v]));
      }
    }
  });
  return static_cast<double>(bytes) / time / 1e9;
}

}  // namespace

int main() {
  std::printf("{\"fmaGflops\": %.1f, \"cacheGBs\": %.1f, \"memoryGBs\": %.1f}\n", fma_gflops(),
              read_gbs(size_t{1} << 20), read_gbs(size_t{1} << 28));
  return 0;
}
