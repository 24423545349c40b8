// Selection of the k-th largest magnitude: the threshold of a pruning mask.
#ifndef ESPALIER_NATIVE_SPARSE_SELECT_H_
#define ESPALIER_NATIVE_SPARSE_SELECT_H_

#include <cstddef>

namespace espalier {

// The k-th largest |weight|, k from 1 to n: exact, O(n), two passes and never a sort. NaN if any
// weight is NaN. Scratch: 4 bytes for each weight that shares the threshold's exponent and three
// leading bits of its fraction (a twentieth of normally distributed weights).
float kth_largest_magnitude(const float* weights, size_t n, size_t k);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_SELECT_H_
