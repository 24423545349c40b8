// Which instruction sets this machine has, and which one is used.
#ifndef ESPALIER_NATIVE_CPU_FEATURES_H_
#define ESPALIER_NATIVE_CPU_FEATURES_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace espalier {

// kAvx512 means F, CD, BW, DQ and VL: what server processors have since Skylake.
enum class Isa { kPortable, kNeon, kAvx2, kAvx512 };
// All of them, in the order of preference, least first.
inline constexpr Isa kIsas[] = {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512};
inline constexpr const char* kIsaNames[] = {"portable", "neon", "avx2", "avx512"};

struct CacheSizes {
  size_t l1d = 32 * 1024;
  size_t l2 = 1024 * 1024;
  size_t l3 = 16 * 1024 * 1024;
};

// True where this build has kernels for `isa` and this machine can run them.
bool isa_available(Isa isa);
// Those of kIsas that are available.
std::vector<Isa> available_isas();
// The best available.
Isa best_isa();
const char* isa_name(Isa isa);
std::optional<Isa> isa_from_name(std::string_view name);
// Read from the machine once (sysfs or CPUID); the defaults above where it does not tell.
const CacheSizes& cache_sizes();

}  // namespace espalier

#endif  // ESPALIER_NATIVE_CPU_FEATURES_H_
