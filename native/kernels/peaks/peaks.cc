#include "kernels/peaks/peaks.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "kernels/by_isa.h"

namespace espalier {
namespace {

constexpr KernelsByIsa<PeakKernels> kKernels = {{&kPeaksPortable, ESPALIER_ARM64(kPeaksNeon),
                                                 ESPALIER_X64(kPeaksAvx2),
                                                 ESPALIER_X64(kPeaksAvx512)}};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The best of some tries, since whatever else the machine does only makes them longer.
template <typename F>
double best_seconds(int threads, ThreadPool& pool, F&& f) {
  constexpr int kTries = 20;
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) {
    const double start = seconds();
    if (threads == 1) {
      f(0);
    } else {
      pool.run(threads, threads, [&f](int part) { f(part); });
    }
    best = std::min(best, seconds() - start);
  }
  return best;
}

}  // namespace

Peaks measure_peaks(Isa isa, int threads, ThreadPool& pool) {
  const PeakKernels& kernels = kKernels.best(isa);
  std::atomic<float> sink{0};
  const auto keep = [&sink](float value) { sink.store(value, std::memory_order_relaxed); };
  Peaks peaks;
  constexpr uint32_t kLoops = 200000;
  const double flops = 2.0 * kernels.width * kPeakChains * kLoops * threads;
  peaks.fma_gflops = flops / 1e9 / best_seconds(threads, pool, [&](int part) {
                       keep(kernels.fma(0.5f, 1.0f + part, kLoops));
                     });
  // The same for each thread in the cache; of memory each gets a share.
  constexpr size_t kCacheFloats = size_t{1} << 18, kMemoryFloats = size_t{1} << 26;
  constexpr int kTimes = 16;
  const size_t share = kMemoryFloats / threads / kPeakFloats * kPeakFloats;
  std::vector<float> data(std::max(share, kCacheFloats) * threads, 1.0f);
  const size_t stride = data.size() / threads;
  const double cache = best_seconds(threads, pool, [&](int part) {
    for (int i = 0; i < kTimes; ++i) keep(kernels.read(data.data() + part * stride, kCacheFloats));
  });
  peaks.cache_gbs = 4.0 * kCacheFloats * kTimes * threads / cache / 1e9;
  const double memory = best_seconds(
      threads, pool, [&](int part) { keep(kernels.read(data.data() + part * stride, share)); });
  peaks.memory_gbs = 4.0 * share * threads / memory / 1e9;
  return peaks;
}

}  // namespace espalier
