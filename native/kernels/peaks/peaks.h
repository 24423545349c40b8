// How fast this machine can be at most: the roofs of a roofline, measured when they are asked for.
#ifndef ESPALIER_NATIVE_KERNELS_PEAKS_PEAKS_H_
#define ESPALIER_NATIVE_KERNELS_PEAKS_PEAKS_H_

#include <cstddef>
#include <cstdint>

#include "cpu/features.h"
#include "cpu/thread_pool.h"

namespace espalier {

// One instruction set's loops. Their answers are of no use but keep the work from being left out.
struct PeakKernels {
  int width;  // floats of a vector
  // kPeakChains chains of `loops` multiply-adds of a vector each.
  float (*fma)(float a, float b, uint32_t loops);
  // Sums `floats` floats, a multiple of kPeakFloats.
  float (*read)(const float* data, size_t floats);
};

// As many as hide the latency of a multiply-add and fit the 16 registers of AVX2 with its two
// factors.
constexpr int kPeakChains = 10;
constexpr size_t kPeakFloats = 128;

extern const PeakKernels kPeaksPortable;
extern const PeakKernels kPeaksAvx2;
extern const PeakKernels kPeaksAvx512;
extern const PeakKernels kPeaksNeon;

struct Peaks {
  double fma_gflops = 0;  // multiply and add of float32, 10^9 a second
  double cache_gbs = 0;   // reading 1 MiB a thread again and again, 10^9 bytes a second
  double memory_gbs = 0;  // reading 256 MiB in all
};

// With so many threads at once; about a second. Throws std::bad_alloc.
Peaks measure_peaks(Isa isa, int threads, ThreadPool& pool);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_PEAKS_PEAKS_H_
