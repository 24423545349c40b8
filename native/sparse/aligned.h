// Vectors whose data start on a cache line, for packed weights. Large ones ask for huge pages:
// weights are read from end to end in each call, and prefetchers stop at the end of a page.
#ifndef ESPALIER_NATIVE_SPARSE_ALIGNED_H_
#define ESPALIER_NATIVE_SPARSE_ALIGNED_H_

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace espalier {

inline constexpr size_t kCacheLine = 64;
inline constexpr size_t kMostBytes = size_t{PTRDIFF_MAX} / 2;
inline constexpr size_t kHugePage = size_t{2} << 20;
// Vectors of so many bytes lie on huge pages where the system has them: at most a quarter is
// wasted.
inline constexpr size_t kHugeVector = kHugePage / 4 * 3;

inline size_t vector_alignment(size_t bytes) {
  return bytes < kHugeVector ? kCacheLine : kHugePage;
}
// What is allocated for `bytes`: the last huge page is filled up if most of it is used.
inline size_t vector_bytes(size_t bytes) {
  const size_t used = bytes % kHugePage;
  return used < kHugeVector ? bytes : bytes - used + kHugePage;
}

template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(size_t n) {
    if (n > kMostBytes / sizeof(T)) throw std::bad_alloc();
    const size_t bytes = vector_bytes(n * sizeof(T));
    void* p = ::operator new (bytes, std::align_val_t{vector_alignment(n * sizeof(T))});
#if defined(MADV_HUGEPAGE)
    // A wish: nothing is lost where it is not granted.
    if (bytes >= kHugePage) madvise(p, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(p);
  }
  void deallocate(T* p, size_t n) {
    ::operator delete (p, std::align_val_t{vector_alignment(n * sizeof(T))});
  }
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

// Leaves what `resize` adds unset, for those who write all of it at once.
template <typename T>
struct UnsetAllocator : CacheLineAllocator<T> {
  using value_type = T;
  template <typename U>
  struct rebind {
    using other = UnsetAllocator<U>;
  };
  UnsetAllocator() = default;
  template <typename U>
  UnsetAllocator(const UnsetAllocator<U>&) {}
  template <typename U>
  void construct(U* p) {
    ::new (static_cast<void*>(p)) U;
  }
  template <typename U, typename... Args>
  void construct(U* p, Args&&... args) {
    ::new (static_cast<void*>(p)) U(static_cast<Args&&>(args)...);
  }
};

template <typename T>
using UnsetVector = std::vector<T, UnsetAllocator<T>>;

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_ALIGNED_H_
