// The kernels of Linear: plain functions over packed weights, one table an instruction set.
//
// All of them compute y = act(W x + bias) for some rows. The samples kernels take 1 to
// kSampleMajorMax samples, the panel kernels 1 to kPanelColumns columns; see linear.h for how
// values lie and what may be touched.
#ifndef ESPALIER_NATIVE_KERNELS_LINEAR_KERNELS_H_
#define ESPALIER_NATIVE_KERNELS_LINEAR_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "cpu/features.h"
#include "kernels/activation.h"

namespace espalier {

// What is done to W x before it is stored. Only the kinds of is_fused come here.
struct Epilogue {
  const float* bias;  // rows, padded with zeros to a multiple of 16
  ActivationKind kind;
  float alpha;
};

inline bool is_fused(ActivationKind kind) {
  return kind == ActivationKind::kLinear || kind == ActivationKind::kRelu ||
         kind == ActivationKind::kRelu6 || kind == ActivationKind::kLeakyRelu;
}

struct SampleBatch {
  const float* x;
  size_t x_stride;
  float* y;
  size_t y_stride;
  int n;
};

struct PanelBatch {
  const float* x;
  size_t ldx;
  float* y;
  size_t ldy;
  int n;
};

// Both return false if some W x + bias (before the activation) is not finite. Then a zero of the
// padding or an explicit zero weight may have met an Inf, and the caller looks closer.
struct DenseKernels {
  // weights: see dense_tiles.h. Computes the tiles [tile_begin, tile_end).
  bool (*samples)(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                  const SampleBatch& batch, uint32_t tile_begin, uint32_t tile_end);
  bool (*panel)(const float* weights, uint32_t rows, uint32_t cols, const Epilogue& epilogue,
                const PanelBatch& batch, uint32_t tile_begin, uint32_t tile_end);
};

// A view of PermuteBlocks (permute_block.h).
inline constexpr uint32_t kNoLaneRow = UINT32_MAX;
struct PermuteBlockView {
  uint32_t rows;
  uint32_t cols;
  const uint32_t* order;  // nullptr: lane l of group g is row g * lanes + l
  const uint32_t* group_blocks;
  const uint32_t* group_steps;
  const uint32_t* blocks;
  const uint8_t* indices;
  const float* weights;
  const uint16_t* masks;          // compressed: the lanes of each step that have a non-zero
  const uint32_t* group_entries;  // compressed: where a group's weights and indices begin
  const float* bias;              // in the order of the lanes; used in place of the epilogue's
};

// One form: a block of so many columns, of which a permute looks `lookup_cols` up. Returns as
// DenseKernels do.
struct PermuteBlockForm {
  uint32_t block_cols;
  uint32_t lookup_cols;
  bool compressed;
  bool (*samples)(const PermuteBlockView& view, const Epilogue& epilogue, const SampleBatch& batch,
                  uint32_t group_begin, uint32_t group_end);
  const char* layout;  // "pb64"
  const char* kernel;  // "spmv_f32_pb64_avx512"
};
struct PermuteBlockKernels {
  uint32_t lanes;
  uint32_t form_count;
  PermuteBlockForm forms[3];
};

// A view of ShortBlocks (short_blocks.h).
struct ShortBlocksView {
  uint32_t rows;
  const uint32_t* order;  // nullptr: lane l of group g is row 8 g + l
  const uint32_t* runs;
  const uint32_t* group_blocks;
  const uint32_t* group_words;
  const uint32_t* group_steps;
  const uint32_t* group_tails;
  const uint16_t* tail_columns;
  const uint16_t* offsets;
  const uint32_t* words;
  const void* weights;  // in the format of the form
  const float* scales;  // int8: of each lane's row, [groups][lanes]
  const float* bias;    // in the order of the lanes; used in place of the epilogue's
};
// For weights in one format. Computes the groups [group_begin, group_end). Returns as DenseKernels
// do.
struct ShortBlocksForm {
  bool (*samples)(const ShortBlocksView& view, const Epilogue& epilogue, const SampleBatch& batch,
                  uint32_t group_begin, uint32_t group_end);
  const char* layout;  // "pb4"
  const char* kernel;  // "spmv_f32_pb4_avx2"
};
struct ShortBlocksKernels {
  struct {
    uint32_t block_cols;
    ShortBlocksForm forms[4];  // in the order of ValueFormat
  } widths[2];
};

// A view of Sell (sell.h).
struct SellView {
  const uint32_t* order;
  const uint32_t* group_steps;
  const uint16_t* columns;
  const void* weights;  // in the format of the form
  const float* scales;  // int8: of each lane's row, [groups][lanes]
  const float* bias;    // in the order of the lanes; used in place of the epilogue's
};
// For weights in one format. Computes the groups [group_begin, group_end). Returns as DenseKernels
// do.
struct SellForm {
  bool (*samples)(const SellView& view, const Epilogue& epilogue, const SampleBatch& batch,
                  uint32_t group_begin, uint32_t group_end);
  const char* layout;  // "sell8"
  const char* kernel;  // "spmv_f32_sell8_avx2"
};
struct SellKernels {
  uint32_t lanes;
  SellForm forms[4];  // in the order of ValueFormat
};

struct RowTile;
struct RowRun;
// A view of RowTiles (row_tiles.h).
struct RowTilesView {
  const RowTile* tiles;
  const RowRun* runs;
  const uint16_t* tile_rows;
  const uint16_t* columns;
  const float* weights;
};

struct RowTileKernels {
  // Computes the row blocks that the tiles make up; its padding makes no NaN.
  void (*panel)(const RowTilesView& view, const Epilogue& epilogue, const PanelBatch& batch,
                uint32_t tile_begin, uint32_t tile_end);
  const char* kernel;
};

extern const DenseKernels kDensePortable;
extern const PermuteBlockKernels kPermuteBlockAvx512;
extern const ShortBlocksKernels kShortBlocksAvx2;
extern const SellKernels kSellPortable;
extern const SellKernels kSellNeon;
extern const SellKernels kSellAvx2;
extern const RowTileKernels kRowTilesPortable;
extern const RowTileKernels kRowTilesNeon;
extern const RowTileKernels kRowTilesAvx512;
extern const RowTileKernels kRowTilesAvx2;
extern const DenseKernels kDenseNeon;
extern const DenseKernels kDenseAvx512;
extern const DenseKernels kDenseAvx2;

}  // namespace espalier

#endif  // ESPALIER_NATIVE_KERNELS_LINEAR_KERNELS_H_
