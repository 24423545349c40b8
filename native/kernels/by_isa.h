// The kernels of a family by instruction set.
#ifndef ESPALIER_NATIVE_KERNELS_BY_ISA_H_
#define ESPALIER_NATIVE_KERNELS_BY_ISA_H_

#include <cstddef>
#include <iterator>

#include "cpu/features.h"

// The address of kernels that only builds for such a processor link; nullptr in others.
#if defined(__x86_64__)
#define ESPALIER_X64(kernels) &kernels
#else
#define ESPALIER_X64(kernels) nullptr
#endif
#if defined(__aarch64__)
#define ESPALIER_ARM64(kernels) &kernels
#else
#define ESPALIER_ARM64(kernels) nullptr
#endif

namespace espalier {

// In the order of kIsas: portable, NEON, AVX2, AVX-512. nullptr: there are none.
template <typename Kernels>
struct KernelsByIsa {
  const Kernels* each[std::size(kIsas)];

  const Kernels* find(Isa isa) const { return each[static_cast<size_t>(isa)]; }
  const Kernels& best(Isa isa) const {
    const Kernels* found = find(isa);
    return found == nullptr ? *each[static_cast<size_t>(Isa::kPortable)] : *found;
  }
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_BY_ISA_H_
