// What the vector kernels share. Included only by files that are compiled for an instruction set;
// everything in them has internal linkage, so that no copy of a function with such instructions can
// be linked into other code.
//
// A kernel is written once, against a vector type V that each instruction set defines (vector_*.h):
//   V::Vector, V::kWidth          a register of so many floats
//   load, store, broadcast        unaligned; broadcast from memory
//   store_first(p, v, n)          the first n lanes, no byte more
//   add, fma(a, b, c) = a b + c
//   load_four(p), spread(f, i)    four floats, one of them in all lanes
//   load_bf16(p), load_f16(p), load_i8(p)   weights in fewer bits, as floats
//   diagonal(v[kWidth])           lane i of v[i]
//   activate(epilogue, v)         NaN stays NaN
//   not_finite(v)                 a bit for each lane that is NaN or Inf
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_H_

#include "kernels/linear/kernels.h"

#define ESPALIER_INLINE static inline __attribute__((always_inline))
#define ESPALIER_UNROLL _Pragma("GCC unroll 16")

namespace espalier {
namespace {

// Weights in fewer bits by type.
struct Bfloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};
template <typename V>
ESPALIER_INLINE typename V::Vector load_weights(const float* p) {
  return V::load(p);
}
template <typename V>
ESPALIER_INLINE typename V::Vector load_weights(const Bfloat16* p) {
  return V::load_bf16(&p->bits);
}
template <typename V>
ESPALIER_INLINE typename V::Vector load_weights(const Float16* p) {
  return V::load_f16(&p->bits);
}
template <typename V>
ESPALIER_INLINE typename V::Vector load_weights(const int8_t* p) {
  return V::load_i8(p);
}

}  // namespace
}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_VECTOR_H_
