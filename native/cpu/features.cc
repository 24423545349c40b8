#include "cpu/features.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace espalier {
namespace {

struct IsaSupport {
  bool avx2 = false;
  bool avx512 = false;
};

#if defined(__x86_64__)
// What the operating system saves on a context switch (XCR0). An instruction set that the processor
// has but the system does not save faults when used.
uint64_t enabled_states() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

bool has_all(uint32_t value, uint32_t bits) { return (value & bits) == bits; }

// Every flag that CMakeLists.txt hands to the compiler for avx2 and avx512 files is asked for here.
IsaSupport detect() {
  IsaSupport support;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return support;
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28, kF16c = 1u << 29;
  if (!has_all(c, kFma | kOsxsave | kAvx | kF16c)) return support;
  const uint64_t states = enabled_states();
  constexpr uint64_t kYmmState = 0x6, kZmmState = 0xe6;
  if ((states & kYmmState) != kYmmState) return support;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return support;
  constexpr uint32_t kBmi1 = 1u << 3, kAvx2 = 1u << 5, kBmi2 = 1u << 8;
  support.avx2 = has_all(b, kBmi1 | kAvx2 | kBmi2);
  constexpr uint32_t kF = 1u << 16, kDq = 1u << 17, kCd = 1u << 28, kBw = 1u << 30, kVl = 1u << 31;
  support.avx512 =
      support.avx2 && has_all(b, kF | kDq | kCd | kBw | kVl) && (states & kZmmState) == kZmmState;
#if defined(ESPALIER_EMULATE_AVX512)
  // The kernels of AVX-512 are compiled for AVX2 (test/avx512_double.h).
  support.avx512 = support.avx2;
#endif
  return support;
}
#else
IsaSupport detect() { return {}; }
#endif

const IsaSupport& isa_support() {
  static const IsaSupport support = detect();
  return support;
}

// One line of a sysfs file; false if there is none.
bool read_line(const char* path, char* line, int length) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return false;
  const bool read = std::fgets(line, length, file) != nullptr;
  std::fclose(file);
  return read;
}

CacheSizes read_cache_sizes() {
  CacheSizes sizes;
  for (int index = 0; index < 8; ++index) {
    char path[96], line[64];
    const auto read = [&](const char* leaf) {
      std::snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index,
                    leaf);
      return read_line(path, line, sizeof(line));
    };
    if (!read("type") || std::strncmp(line, "Instruction", 11) == 0) continue;
    if (!read("level")) continue;
    const int level = std::atoi(line);
    if (!read("size")) continue;
    char* unit = nullptr;
    size_t bytes = std::strtoul(line, &unit, 10);
    if (*unit == 'K') bytes *= 1024;
    if (*unit == 'M') bytes *= 1024 * 1024;
    // Anything smaller is a virtual machine that does not know.
    if (bytes < 4 * 1024) continue;
    if (level == 1) sizes.l1d = bytes;
    if (level == 2) sizes.l2 = bytes;
    if (level == 3) sizes.l3 = bytes;
  }
  return sizes;
}

}  // namespace

bool isa_available(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return true;
    case Isa::kNeon:
#if defined(__aarch64__)
      return true;  // part of the architecture
#else
      return false;
#endif
    case Isa::kAvx2:
      return isa_support().avx2;
    case Isa::kAvx512:
      return isa_support().avx512;
  }
  return false;
}

std::vector<Isa> available_isas() {
  std::vector<Isa> available;
  for (Isa isa : kIsas) {
    if (isa_available(isa)) available.push_back(isa);
  }
  return available;
}

Isa best_isa() { return available_isas().back(); }

const char* isa_name(Isa isa) { return kIsaNames[static_cast<size_t>(isa)]; }

std::optional<Isa> isa_from_name(std::string_view name) {
  for (Isa isa : kIsas) {
    if (name == isa_name(isa)) return isa;
  }
  return std::nullopt;
}

const CacheSizes& cache_sizes() {
  static const CacheSizes sizes = read_cache_sizes();
  return sizes;
}

}  // namespace espalier
