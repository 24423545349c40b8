// The widths of panels for each of which the fastest layout is found: a panel counts as the next
// one.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_PANEL_WIDTHS_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_PANEL_WIDTHS_H_

#include "kernels/values.h"

namespace espalier {

inline constexpr int kPanelWidths = 8;
inline constexpr int kPanelWidth[kPanelWidths] = {5, 6, 8, 16, 24, 32, 48, kPanelColumns};
inline constexpr int panel_width_index(int n) {
  int i = 0;
  while (i + 1 < kPanelWidths && n > kPanelWidth[i]) ++i;
  return i;
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_PANEL_WIDTHS_H_
