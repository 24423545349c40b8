// Vectors whose data start on a cache line, for packed weights.
#ifndef ESPALIER_NATIVE_SPARSE_ALIGNED_H_
#define ESPALIER_NATIVE_SPARSE_ALIGNED_H_

#include <cstddef>
#include <new>
#include <vector>

namespace espalier {

inline constexpr size_t kCacheLine = 64;

template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{kCacheLine}));
  }
  void deallocate(T* p, size_t) { ::operator delete (p, std::align_val_t{kCacheLine}); }
  template <typename U>
  bool operator==(const CacheLineAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const CacheLineAllocator<U>&) const {
    return false;
  }
};

template <typename T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_ALIGNED_H_
