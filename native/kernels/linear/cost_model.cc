// Constants in nanoseconds, fitted to measurements of the kernels: AVX-512 on a Zen 4 core at 3.7
// GHz (13 shapes from 5x32 to 1024x1024, 5 sparsities), AVX2 and portable on a Zen 3 core at 3 GHz.
// Other machines are faster or slower, but what decides is the ratio of two predictions, and the
// kernels share their bottlenecks: loads, permutes and FMAs. native/bench/linear_bench.cc prints
// each prediction beside the time taken.
#include "kernels/linear/cost_model.h"

#include <algorithm>
#include <cmath>

#include "kernels/linear/linear.h"

namespace espalier {
namespace {

struct DenseSamplesCost {
  double tile_col;  // a column of a tile of 16 rows
  double tile;
};
struct DensePanelCost {
  double row_col;
  double row;
};
struct PermuteCost {
  double step, block;
  double group;          // rows in order
  double grouped_group;  // outputs scattered to their rows
};
struct ShortBlocksCost {
  double step, block, group;
};
struct SellCost {
  double step, group;
};
struct RowTileCost {
  double entry;
  double row;  // starting and storing the sums of a row in one tile
};

// What one core reads from the second- and third-level cache and from memory, in bytes a
// nanosecond; l3_far: weights beyond kFarShare, of which some are not there when they come again.
struct ReadRates {
  double l2, l3, memory, l3_far;
};

struct Costs {
  ReadRates rates;
  DenseSamplesCost dense_samples[4];
  DensePanelCost dense_panel[kPanelWidths];
  PermuteCost permute[3][4];           // by form and samples
  ShortBlocksCost short_blocks[2][4];  // blocks of 4 and 8 columns, by samples
  SellCost sell;
  RowTileCost row_tiles[kPanelWidths];
};

constexpr Costs kAvx512Costs = {
    {115, 94, 25, 94},
    {{0.61, 3}, {0.76, 4}, {1.07, 5}, {1.09, 5}},
    {{0.160, 0.5},
     {0.160, 0.5},
     {0.160, 0.5},
     {0.277, 0.5},
     {0.437, 1.0},
     {0.565, 1.0},
     {0.856, 1.2},
     {1.105, 2.3}},
    {{{1.00, 0.4, 3.2, 7.9}, {1.85, 0.4, 4.7, 18}, {2.80, 1.0, 5.8, 22}, {3.75, 1.2, 6.0, 26}},
     {{0.75, 0.45, 2.6, 6.4}, {1.18, 0.5, 3.7, 15}, {1.59, 0.9, 5.5, 22}, {2.11, 0.9, 8.0, 24}},
     {{2.10, 0.4, 3.2, 7.9}, {2.95, 0.4, 4.7, 18}, {3.80, 1.0, 5.8, 22}, {4.65, 1.2, 6.0, 26}}},
    {},
    {},
    {{0.27, 1.2},
     {0.27, 1.2},
     {0.27, 1.2},
     {0.375, 1.1},
     {0.665, 1.9},
     {0.665, 1.9},
     {0.985, 3.0},
     {1.29, 3.4}}};

constexpr Costs kAvx2Costs = {
    {88, 72, 17, 28},
    {{0.45, 5}, {0.80, 12}, {1.10, 20}, {1.60, 30}},
    {{0.110, 1.0},
     {0.140, 1.0},
     {0.195, 1.0},
     {0.345, 0.8},
     {0.53, 1.2},
     {0.74, 1.4},
     {1.05, 2.0},
     {1.43, 3.5}},
    {{}, {}},
    {{{0.36, 0.02, 11}, {0.72, 0.10, 14}, {1.22, 0.05, 16}, {1.40, 0.10, 25}},
     {{0.65, 0.02, 14}, {1.20, 0.05, 14}, {1.75, 0.10, 16}, {2.30, 0.15, 25}}},
    {2.10, 4},
    {{0.35, 1.2},
     {0.35, 1.2},
     {0.35, 1.2},
     {0.53, 1.9},
     {0.66, 3.0},
     {1.00, 3.5},
     {1.45, 6.0},
     {1.90, 7.5}}};

constexpr Costs kPortableCosts = {{88, 66, 15, 66},
                                  {{0.90, 11}, {1.67, 27}, {2.57, 38}, {3.34, 50}},
                                  {{0.44, 4.4},
                                   {0.44, 4.4},
                                   {0.44, 4.4},
                                   {0.88, 8.8},
                                   {1.34, 12},
                                   {1.80, 16},
                                   {2.68, 25},
                                   {3.66, 31}},
                                  {{}, {}},
                                  {{}, {}},
                                  {2.4, 5},
                                  {{0.52, 1.7},
                                   {0.52, 1.7},
                                   {0.52, 1.7},
                                   {1.11, 2.7},
                                   {1.75, 5.2},
                                   {1.75, 5.2},
                                   {2.9, 7.3},
                                   {3.6, 9.7}}};

// To make floats of the 8 weights of a step, by format.
constexpr double kDecodeStep[kValueFormats] = {0, 0.2, 0.2, 0.2};

// Bytes a nanosecond of a short permute-block that lies in the second-level cache.
constexpr double kStreamsRate = 58;
// To start and add up the tail of a group.
constexpr double kTailGroup = 16;

// How long the layouts take for a byte of memory. Dense weights are one stream, which prefetchers
// know best; the indices and weights of short permute-blocks advance by amounts that they do not.
constexpr double kDenseFromMemory = 0.85, kShortBlocksFromMemory = 1.25;

// A call does nothing in less.
constexpr double kCall = 8;
// To bring a feature of up to four samples into a panel, or back.
constexpr double kMovedSample = 0.5;

const Costs& costs(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return kAvx512Costs;
    case Isa::kAvx2:
      return kAvx2Costs;
    default:
      return kPortableCosts;
  }
}

// The weights are read once a call: cold from memory, else from the cache that they fit in when
// nothing else wants it. from_memory: how much longer than others this layout takes for a byte of
// memory.
double at_least_reading(Isa isa, double ns, double bytes, bool cold, double from_memory = 1) {
  const CacheSizes& caches = cache_sizes();
  const ReadRates& rates = costs(isa).rates;
  const double memory = rates.memory / from_memory;
  const double rate = cold                            ? memory
                      : bytes < 0.8 * caches.l2       ? rates.l2
                      : bytes < kFarShare * caches.l3 ? rates.l3
                      : bytes < 0.8 * caches.l3       ? rates.l3_far
                                                      : memory;
  return std::max(ns, !cold && bytes < caches.l1d ? 0.0 : bytes / rate) + kCall;
}

double round_up(uint32_t rows, uint32_t unit) {
  return static_cast<double>((rows + unit - 1) / unit * unit);
}

}  // namespace

double dense_ns(Isa isa, uint32_t rows, uint32_t cols, int n, bool cold) {
  const double tiles = round_up(rows, 16) / 16;
  const double bytes = tiles * cols * 64;
  if (n <= 4) {
    const DenseSamplesCost& cost = costs(isa).dense_samples[std::max(n, 1) - 1];
    return at_least_reading(isa, tiles * (cols * cost.tile_col + cost.tile), bytes, cold,
                            kDenseFromMemory);
  }
  const DensePanelCost& cost = costs(isa).dense_panel[panel_width_index(n)];
  // The rows that a kernel takes at once.
  const uint32_t unit = isa != Isa::kAvx512 ? 4 : n <= 16 ? 16 : n <= 48 ? 8 : 4;
  return at_least_reading(isa, round_up(rows, unit) * cols * cost.row_col + rows * cost.row, bytes,
                          cold);
}

double csr_ns(Isa isa, uint32_t rows, size_t nnz, int n, bool cold) {
  const double entries = static_cast<double>(nnz);
  const double ns =
      n <= 4 ? n * (0.65 * entries + 5.0 * rows) : (n + 15) / 16 * (1.5 * entries + 6.0 * rows);
  return at_least_reading(isa, ns, 8 * entries, cold);
}

double permute_block_ns(Isa isa, const PermuteBlockPlan& plan, int n, bool cold) {
  const PermuteCost& cost = costs(isa).permute[plan.form_index][n - 1];
  const double ns = cost.step * plan.size.steps + cost.block * plan.size.blocks +
                    (plan.grouped ? cost.grouped_group : cost.group) * plan.size.groups;
  // The steps of a compressed layout wait for each other, which leaves the memory idle at times.
  return at_least_reading(isa, ns, (plan.form->compressed ? 1.3 : 1.0) * plan.bytes, cold);
}

double short_blocks_ns(Isa isa, const ShortBlocksPlan& plan, ValueFormat format, int n, bool cold) {
  const ShortBlocksCost& cost = costs(isa).short_blocks[plan.block_cols == 4 ? 0 : 1][n - 1];
  const double decode = kDecodeStep[static_cast<int>(format)];
  const double ns = (cost.step + decode) * plan.size.steps + cost.block * plan.size.blocks +
                    cost.group * plan.size.groups;
  // Three streams come slower from the second-level cache than the one of a dense matrix.
  const double bytes = short_blocks_bytes(plan, format);
  const double tail_bytes = 8 * (value_bytes(format) + 2.0) * plan.tail_steps;
  const double streamed = bytes < cache_sizes().l1d ? 0 : (bytes - tail_bytes) / kStreamsRate;
  const double tails =
      plan.tail_steps == 0
          ? 0
          : n * ((costs(isa).sell.step + decode) * plan.tail_steps + kTailGroup * plan.size.groups);
  return at_least_reading(isa, std::max(ns, streamed) + tails, bytes, cold, kShortBlocksFromMemory);
}

double sell_ns(Isa isa, const SellCount& count, uint32_t lanes, ValueFormat format, int n,
               bool cold) {
  const SellCost& cost = costs(isa).sell;
  const double step = cost.step + kDecodeStep[static_cast<int>(format)];
  const double entry_bytes = 2.0 + value_bytes(format);
  return at_least_reading(isa, n * (step * count.steps + cost.group * count.groups),
                          entry_bytes * lanes * count.steps, cold);
}

double row_tiles_ns(Isa isa, uint32_t rows, uint32_t cols, size_t nnz, const RowTilesPlan& plan,
                    int n, bool cold) {
  const RowTileCost& cost = costs(isa).row_tiles[panel_width_index(n)];
  const double tiles = std::ceil(static_cast<double>(cols) / plan.tile_cols);
  // Tiles between the first and the last visit only rows that have something in them.
  const double entries = static_cast<double>(nnz);
  const double visits =
      tiles <= 2 ? tiles * rows : 2.0 * rows + std::min((tiles - 2) * rows, entries);
  const double moved = n <= kSampleMajorMax ? kMovedSample * (static_cast<double>(rows) + cols) : 0;
  return at_least_reading(isa, 1.01 * entries * cost.entry + visits * cost.row + moved, 6 * entries,
                          cold);
}

}  // namespace espalier
