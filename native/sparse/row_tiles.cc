#include "sparse/row_tiles.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace espalier {
namespace {

// In the time of one non-zero of a quad: a single's non-zero costs more, and each row its start and
// end.
constexpr float kSingleStep = 1.3f;
constexpr float kRowStart = 4.0f;

struct TileRow {
  uint32_t row;  // in the tile
  int32_t begin;
  int32_t end;
  uint32_t count() const { return static_cast<uint32_t>(end - begin); }
};

// Halves of denormal numbers are not exact.
bool can_split(float weight) { return std::fabs(weight) >= 2 * FLT_MIN; }

// Whether a row can be padded to `steps`: each of its weights is split at most once.
bool can_pad(const CsrView& csr, const TileRow& row, uint32_t steps) {
  uint32_t missing = steps - row.count();
  if (missing > row.count()) return false;
  for (int32_t i = row.begin; i < row.end && missing > 0; ++i) missing -= can_split(csr.values[i]);
  return missing == 0;
}

class Packer {
 public:
  Packer(const CsrView& csr, RowTiles& pack) : csr_(csr), pack_(pack) {}

  // Appends the tile of these rows, sorted by count.
  void add(RowTile tile, const std::vector<TileRow>& rows) {
    tile.run_begin = static_cast<uint32_t>(pack_.runs.size());
    tile.row_begin = static_cast<uint32_t>(pack_.tile_rows.size());
    tile.entry_begin = static_cast<uint32_t>(pack_.weights.size());
    first_col_ = tile.first_col;
    group(rows);
    size_t entries = pack_.weights.size();
    for (size_t first : quads_) entries += size_t{4} * rows[first + 3].count();
    for (size_t row : singles_) entries += rows[row].count();
    at_ = pack_.weights.size();
    pack_.weights.resize(entries);
    pack_.columns.resize(entries);
    size_t quad = 0, single = 0;
    while (quad < quads_.size() || single < singles_.size()) {
      const uint32_t quad_steps =
          quad < quads_.size() ? rows[quads_[quad] + 3].count() : UINT32_MAX;
      const uint32_t single_steps =
          single < singles_.size() ? rows[singles_[single]].count() : UINT32_MAX;
      RowRun run = {std::min(quad_steps, single_steps), 0, 0};
      for (; quad < quads_.size() && rows[quads_[quad] + 3].count() == run.steps; ++quad) {
        ++run.quads;
        add_rows(&rows[quads_[quad]], 4, run.steps);
      }
      for (; single < singles_.size() && rows[singles_[single]].count() == run.steps; ++single) {
        ++run.singles;
        add_rows(&rows[singles_[single]], 1, run.steps);
      }
      pack_.runs.push_back(run);
    }
    tile.run_end = static_cast<uint32_t>(pack_.runs.size());
    pack_.tiles.push_back(tile);
  }

 private:
  // The cheapest sequence of quads and singles, by dynamic programming from the shortest row.
  void group(const std::vector<TileRow>& rows) {
    const size_t n = rows.size();
    cost_.resize(n + 1);
    is_quad_.resize(n + 1);
    float* const costs = cost_.data();
    uint32_t* const quad = is_quad_.data();
    costs[0] = 0;
    for (size_t i = 1; i <= n; ++i) {
      const uint32_t steps = rows[i - 1].count();
      costs[i] = costs[i - 1] + kSingleStep * steps + kRowStart;
      quad[i] = 0;
      if (i < 4) continue;
      const float cost = costs[i - 4] + 4.0f * steps + 2 * kRowStart;
      bool fits = cost < costs[i];
      // The first is the shortest: mostly all are as long as the last.
      if (fits && rows[i - 4].count() != steps) {
        for (size_t j = i - 4; fits && j < i; ++j) fits = can_pad(csr_, rows[j], steps);
      }
      if (!fits) continue;
      costs[i] = cost;
      quad[i] = 1;
    }
    quads_.clear();
    singles_.clear();
    for (size_t i = n; i > 0;) {
      const bool quad = is_quad_[i] != 0;
      i -= quad ? 4 : 1;
      (quad ? quads_ : singles_).push_back(i);
    }
    std::reverse(quads_.begin(), quads_.end());
    std::reverse(singles_.begin(), singles_.end());
  }

  void add_rows(const TileRow* rows, uint32_t count, uint32_t steps) {
    for (uint32_t r = 0; r < count; ++r) {
      pack_.tile_rows.push_back(static_cast<uint16_t>(rows[r].row));
      if (steps == 0) continue;  // there may be no entry at all, and no memory for any
      float* weights = pack_.weights.data() + at_ + r;
      uint16_t* columns = pack_.columns.data() + at_ + r;
      const int32_t* cols = csr_.col_idx;
      const float* values = csr_.values;
      const auto first_col = static_cast<int32_t>(first_col_);
      uint32_t missing = steps - rows[r].count();
      int32_t i = rows[r].begin;
      for (const int32_t end = rows[r].end; i < end; ++i) {
        const auto column = static_cast<uint16_t>((cols[i] - first_col) * int32_t{kColumnUnit});
        float weight = values[i];
        if (missing > 0 && can_split(weight)) {
          --missing;
          weight *= 0.5f;
          *weights = weight;
          *columns = column;
          weights += count;
          columns += count;
        }
        *weights = weight;
        *columns = column;
        weights += count;
        columns += count;
      }
    }
    at_ += size_t{count} * steps;
  }

  const CsrView& csr_;
  RowTiles& pack_;
  uint32_t first_col_ = 0;
  size_t at_ = 0;  // where the next entry goes
  std::vector<float> cost_;
  std::vector<uint32_t> is_quad_;
  std::vector<size_t> quads_;  // the first of four neighbouring rows
  std::vector<size_t> singles_;
};

uint32_t even_share(uint32_t total, uint32_t most) {
  const uint32_t shares = std::max(1u, (total + most - 1) / most);
  return std::max(1u, (total + shares - 1) / shares);
}

}  // namespace

RowTiles pack_row_tiles(const CsrView& csr, uint32_t tile_rows, uint32_t tile_cols) {
  RowTiles pack;
  pack.rows = csr.rows;
  pack.cols = csr.cols;
  tile_rows = even_share(csr.rows, tile_rows);
  tile_cols = even_share(csr.cols, tile_cols);
  pack.weights.reserve(csr.nnz() + csr.nnz() / 16);
  pack.columns.reserve(csr.nnz() + csr.nnz() / 16);
  Packer packer(csr, pack);
  std::vector<int32_t> next(csr.row_ptr, csr.row_ptr + csr.rows);  // the first entry not packed yet
  std::vector<TileRow> rows, sorted;
  std::vector<uint32_t> starts;
  pack.row_block_tiles.push_back(0);
  for (uint32_t first_row = 0; first_row < csr.rows; first_row += tile_rows) {
    const uint32_t end_row = std::min(csr.rows, first_row + tile_rows);
    // A matrix without columns has one tile all the same: its outputs are the bias.
    uint32_t first_col = 0;
    do {
      const uint32_t end_col = std::min(csr.cols, first_col + tile_cols);
      RowTile tile = {};
      tile.first_row = first_row;
      tile.first_col = first_col;
      tile.first = first_col == 0;
      tile.last = end_col == csr.cols;
      rows.clear();
      uint32_t longest = 0;
      for (uint32_t row = first_row; row < end_row; ++row) {
        const int32_t begin = next[row];
        int32_t end = begin;
        while (end < csr.row_ptr[row + 1] && static_cast<uint32_t>(csr.col_idx[end]) < end_col)
          ++end;
        next[row] = end;
        // The first and the last tile start and finish every row.
        if (end == begin && !tile.first && !tile.last) continue;
        rows.push_back({row - first_row, begin, end});
        longest = std::max(longest, rows.back().count());
      }
      starts.assign(longest + 2, 0);
      for (const TileRow& row : rows) ++starts[row.count() + 1];
      for (uint32_t c = 1; c < starts.size(); ++c) starts[c] += starts[c - 1];
      sorted.resize(rows.size());
      for (const TileRow& row : rows) sorted[starts[row.count()]++] = row;
      packer.add(tile, sorted);
      first_col = end_col;
    } while (first_col < csr.cols);
    pack.row_block_tiles.push_back(static_cast<uint32_t>(pack.tiles.size()));
    pack.row_blocks.add(end_row,
                        static_cast<uint64_t>(csr.row_ptr[end_row] - csr.row_ptr[first_row]) +
                            8 * (end_row - first_row));
  }
  return pack;
}

}  // namespace espalier
