// Row tiles: the sparse layout for panels (feature-major, up to 64 columns).
//
// The matrix is cut into blocks of rows (the share of a thread) and of columns (so many that their
// part of the panel stays in the first-level cache). Inside such a tile, rows with equal numbers of
// non-zeros go four at a time, a quad, their non-zeros interleaved:
//
//   quad: steps n | rows r0 r1 r2 r3 | r0's 1st, r1's 1st, r2's 1st, r3's 1st, r0's 2nd, ... r3's
//   nth
//
// so that four independent sums hide the latency of the FMA and one loop counter serves four rows.
// Rows without three others of the same count are singles, or join a quad and are padded to its
// length, whichever a dynamic program over the sorted rows finds cheaper.
//
// A padding non-zero must not multiply anything by zero, which makes a NaN of an Inf. So a row is
// padded by splitting weights in two equal halves at the same column, which is exact: w x = (w/2) x
// + (w/2) x.
//
// A column is stored as its number inside the tile times 32, so that with ld 8, 16, 32 and 64 its
// place in the panel is that times 1, 2, 4 and 8, a scale that x86 addresses have for nothing.
#ifndef ESPALIER_NATIVE_SPARSE_ROW_TILE_H_
#define ESPALIER_NATIVE_SPARSE_ROW_TILE_H_

#include <cstdint>

namespace espalier {

inline constexpr uint32_t kColumnUnit = 32;
inline constexpr uint32_t kMostTileCols = 65536 / kColumnUnit;

// Quads, then singles, with the same number of steps.
struct RowRun {
  uint32_t steps;
  uint16_t quads;
  uint16_t singles;
};

struct RowTile {
  uint32_t first_row;
  uint32_t first_col;
  uint32_t run_begin, run_end;
  uint32_t row_begin;    // in the rows of all runs: four a quad, one a single
  uint32_t entry_begin;  // in columns and weights
  // Among the tiles of its rows: the sums start from the bias instead of y, the activation follows.
  bool first, last;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_SPARSE_ROW_TILE_H_
