// The weights of a layout whose lanes are rows, in fewer bits.
#ifndef ESPALIER_NATIVE_SPARSE_CODED_LANES_H_
#define ESPALIER_NATIVE_SPARSE_CODED_LANES_H_

#include <cstdint>
#include <vector>

#include "sparse/aligned.h"
#include "sparse/csr.h"
#include "sparse/value_format.h"

namespace espalier {

struct CodedLanes {
  AlignedVector<uint8_t> weights;  // [steps][lanes] of 2 bytes, or 1 for int8
  AlignedVector<float> scales;     // int8: [groups][lanes], of each lane's row
};

// weights: [steps][lanes], rounded to `format` (not float32) already; order: [groups][lanes], the
// row of a lane or UINT32_MAX; group_steps: [groups + 1], where a group's steps begin. O(steps *
// lanes).
CodedLanes code_lanes(const CsrView& csr, ValueFormat format, uint32_t lanes,
                      const std::vector<uint32_t>& order, const std::vector<uint32_t>& group_steps,
                      const AlignedVector<float>& weights);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_CODED_LANES_H_
