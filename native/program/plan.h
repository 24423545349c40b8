// Where values lie while a program runs.
#ifndef ESPALIER_NATIVE_PROGRAM_PLAN_H_
#define ESPALIER_NATIVE_PROGRAM_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "program/operation.h"

namespace espalier {

struct Step {
  std::unique_ptr<Operation> operation;
  std::string name;
  const char* type;
  std::vector<uint32_t> inputs;
  uint32_t output;
};

// Plans: one for each batch up to kSampleMajorMax, then one for each width of panels.
inline constexpr size_t kPlans = kSampleMajorMax + kPanelWidths;
inline size_t plan_index(size_t batch) {
  if (batch <= kSampleMajorMax) return batch - 1;
  return kSampleMajorMax + static_cast<size_t>(panel_width_index(static_cast<int>(batch)));
}
// Samples, or the columns that its panels have room for: 16, 32 or 64.
inline int plan_columns(size_t index) {
  if (index < kSampleMajorMax) return static_cast<int>(index) + 1;
  const int width = kPanelWidth[index - kSampleMajorMax];
  return width <= 16 ? 16 : width <= 32 ? 32 : kPanelColumns;
}

struct Plan {
  static constexpr size_t kExternal = SIZE_MAX;
  int columns = 0;              // samples, or the columns that a panel has room for
  std::vector<size_t> offsets;  // of each value in the arena; kExternal: the caller's buffer
  std::vector<size_t> strides;  // as Operand
  size_t scratch = 0;           // where the parts' scratch begins
  size_t part_scratch = 0;      // floats for each part
  size_t floats = 0;            // of the arena
};

// Buffers are shared by values whose lives do not meet. `columns` samples or a panel of so many;
// inputs and outputs of a program are the caller's for samples, and in the arena for panels.
// Throws std::bad_alloc.
Plan make_plan(const std::vector<size_t>& features, const std::vector<uint32_t>& inputs,
               const std::vector<uint32_t>& outputs, const std::vector<Step>& steps, int columns,
               int threads);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_PLAN_H_
