#include "sparse/coded_lanes.h"

#include <cstring>

namespace espalier {

CodedLanes code_lanes(const CsrView& csr, ValueFormat format, uint32_t lanes,
                      const std::vector<uint32_t>& order, const std::vector<uint32_t>& group_steps,
                      const AlignedVector<float>& weights) {
  CodedLanes coded;
  if (format != ValueFormat::kInt8) {
    coded.weights.resize(weights.size() * 2);
    for (size_t i = 0; i < weights.size(); ++i) {
      const uint16_t bits =
          format == ValueFormat::kBfloat16 ? to_bfloat16(weights[i]) : to_float16(weights[i]);
      std::memcpy(&coded.weights[2 * i], &bits, sizeof(bits));
    }
    return coded;
  }
  coded.weights.assign(weights.size(), 0);
  coded.scales.assign(order.size(), 0.0f);
  for (size_t group = 0; group + 1 < group_steps.size(); ++group) {
    for (size_t lane = 0; lane < lanes; ++lane) {
      const uint32_t row = order[group * lanes + lane];
      if (row == UINT32_MAX) continue;
      const float scale = row_scale(csr, row, format);
      coded.scales[group * lanes + lane] = scale;
      for (size_t step = group_steps[group]; step < group_steps[group + 1]; ++step) {
        const size_t at = step * lanes + lane;
        coded.weights[at] = static_cast<uint8_t>(to_int8(weights[at], scale));
      }
    }
  }
  return coded;
}

}  // namespace espalier
