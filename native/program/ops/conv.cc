// Convolution as a product of its weights with panels of columns: up to 64 output pixels, one
// column each, whose features are the window's values, channel by channel. The columns are copied
// from the frame row by row of the output, so that no index is computed a value; a 1x1 window of
// stride 1 reads the planes themselves.
#include <cstring>

#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "program/own_matrix.h"

namespace espalier {
namespace {

constexpr size_t kChunk = 8;  // floats that are copied at once, beyond a segment's end at most

// Neighbouring floats of the frame that become neighbouring columns.
struct Segment {
  uint32_t from;
  uint32_t to;
  uint32_t length;
};

class Conv final : public ImageOperation {
 public:
  Conv(const WindowShape& shape, size_t channels, std::vector<std::unique_ptr<Linear>> groups,
       Isa isa)
      : ImageOperation((shape.out_pixels() + kPanelColumns - 1) / kPanelColumns, 0, isa, "conv"),
        groups_(std::move(groups)),
        group_channels_(channels / groups_.size()),
        rows_(groups_[0]->rows()),
        cols_(groups_[0]->cols()),
        offsets_(shape.offsets()),
        frame_(shape.frame.floats(shape.framed)),
        row_stride_(shape.frame.phase_cols()),
        out_width_(shape.out_width),
        pixels_(shape.out_pixels()),
        out_plane_(shape.out_plane()),
        columns_(static_cast<int>(std::min<size_t>(pixels_, kPanelColumns))),
        ld_(columns_ <= 16   ? 16
            : columns_ <= 32 ? 32
                             : 64) {}

  bool prepare(int) override {
    for (auto& group : groups_) {
      if (!group->prepare(std::max(columns_, kSampleMajorMax + 1))) return false;
    }
    return true;
  }
  size_t scratch(int) const override { return cols_ * ld_ + kPanelColumns; }

  void run_samples(const OperationCall& call, int part, int parts) const override {
    for_units(call, part, parts, [&](int s, size_t panel) {
      const size_t begin = panel * kPanelColumns;
      const int n = static_cast<int>(std::min<size_t>(kPanelColumns, pixels_ - begin));
      Segment segments[kPanelColumns];
      const size_t count = cut(begin, n, segments);
      for (size_t g = 0; g < groups_.size(); ++g) {
        gather(sample(call, 0, s) + g * group_channels_ * frame_, segments, count, call.scratch);
        float* y = output(call, s) + g * rows_ * out_plane_ + begin;
        groups_[g]->run_panel(call.scratch, ld_, y, out_plane_, n, 0, 1);
      }
    });
  }

  double predicted_ns(int n) const override {
    const double copies = 0.03 * groups_.size() * cols_ * pixels_;
    return n * (copies + groups_.size() * units_ * groups_[0]->info(panel_n()).predicted_ns);
  }
  OperationInfo info(int n) const override {
    const LinearInfo chosen = groups_[0]->info(panel_n());
    OperationInfo info;
    info.rows = uint64_t{rows_} * groups_.size();
    info.cols = cols_;
    for (const auto& group : groups_) {
      info.nnz += group->nnz();
      info.bytes += group->bytes();
    }
    info.layout = chosen.layout;
    info.kernel = chosen.kernel;
    info.reason = chosen.reason;
    info.predicted_ns = predicted_ns(n);
    info.dense_ns = info.predicted_ns + n * static_cast<double>(groups_.size() * units_) *
                                            (chosen.dense_ns - chosen.predicted_ns);
    // The copies are predicted, the products measured.
    if (chosen.measured_ns > 0) {
      info.measured_ns = info.predicted_ns + n * static_cast<double>(groups_.size() * units_) *
                                                 (chosen.measured_ns - chosen.predicted_ns);
    }
    info.values = chosen.values;
    return info;
  }
  size_t bytes() const override {
    size_t total = 0;
    for (const auto& group : groups_) total += group->bytes();
    return total;
  }

 private:
  int panel_n() const { return std::max(columns_, kSampleMajorMax + 1); }

  // The segments of the output pixels [begin, begin + n).
  size_t cut(size_t begin, size_t n, Segment* segments) const {
    if (row_stride_ == out_width_) {
      segments[0] = {static_cast<uint32_t>(begin), 0, static_cast<uint32_t>(n)};
      return 1;
    }
    size_t count = 0;
    for (size_t at = 0; at < n;) {
      const size_t row = (begin + at) / out_width_, col = (begin + at) % out_width_;
      const size_t length = std::min(n - at, out_width_ - col);
      segments[count++] = {static_cast<uint32_t>(row * row_stride_ + col),
                           static_cast<uint32_t>(at), static_cast<uint32_t>(length)};
      at += length;
    }
    return count;
  }

  // Copies run over the end of a segment by less than a chunk: what is written there is written
  // again by the next segment or row, or lies in the scratch's last kPanelColumns floats; what is
  // read there lies in the frame's slack, or in the plane's room up to a multiple of 16.
  void gather(const float* x, const Segment* segments, size_t count, float* columns) const {
    for (size_t channel = 0; channel < group_channels_; ++channel, x += frame_) {
      for (uint32_t offset : offsets_) {
        for (size_t i = 0; i < count; ++i) {
          const float* from = x + offset + segments[i].from;
          float* to = columns + segments[i].to;
          for (uint32_t c = 0; c < segments[i].length; c += kChunk) {
            std::memcpy(to + c, from + c, kChunk * sizeof(float));
          }
        }
        columns += ld_;
      }
    }
  }

  std::vector<std::unique_ptr<Linear>> groups_;
  size_t group_channels_;
  uint32_t rows_;  // of a group
  uint32_t cols_;
  std::vector<uint32_t> offsets_;
  size_t frame_;
  size_t row_stride_;
  size_t out_width_;
  size_t pixels_;
  size_t out_plane_;
  int columns_;  // of a full panel
  size_t ld_;
};

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  const uint64_t channels = spec.sizes[0], groups = spec.sizes[1];
  require_extent(channels, "channels");
  require_extent(groups, "groups");
  const WindowShape shape = window_shape(spec.sizes, 2);
  const MatrixSpec& weight = spec.matrices[0];
  const FloatsSpec& bias = spec.floats[0];
  const uint64_t filters = weight.csr.rows;
  if (channels % groups != 0 || filters == 0 || filters % groups != 0) {
    refuse_model("groups do not divide the " + std::to_string(channels) + " channels and the " +
                 std::to_string(filters) + " filters");
  }
  if (weight.csr.cols != feature_product(channels / groups, shape.taps())) {
    refuse_model("weight: expected " + std::to_string(channels / groups * shape.taps()) +
                 " columns, received " + std::to_string(weight.csr.cols));
  }
  require_features(context.input_features[0],
                   feature_product(channels, shape.frame.floats(shape.framed)), "input");
  require_features(context.output_features, feature_product(filters, shape.out_plane()), "output");
  if (bias.data != nullptr && bias.length != filters) {
    refuse_model("bias: expected " + std::to_string(filters) + " values, received " +
                 std::to_string(bias.length));
  }
  require_finite(bias, "bias");
  const LinearOptions& options = context.matrices;
  const uint32_t group_rows = static_cast<uint32_t>(filters / groups);
  Csr whole = own_matrix(weight, "weight");
  std::vector<std::unique_ptr<Linear>> linears;
  if (groups == 1) {
    const bool full = whole.values.size() == size_t{whole.rows} * whole.cols;
    linears.push_back(Linear::make(std::move(whole), bias.data, spec.activation, options));
    if (linears.back() == nullptr) throw std::bad_alloc();
    auto conv = std::make_unique<Conv>(shape, channels, std::move(linears), context.isa);
    // Without zeros it becomes dense tiles here and now: as CSR it would wait in twice the memory.
    if (full && !conv->prepare(1)) throw std::bad_alloc();
    return conv;
  }
  std::vector<int32_t> row_ptr(group_rows + 1);
  for (uint64_t g = 0; g < groups; ++g) {
    const int32_t* begin = whole.row_ptr.data() + g * group_rows;
    for (uint32_t r = 0; r <= group_rows; ++r) row_ptr[r] = begin[r] - begin[0];
    const CsrView csr = {group_rows, weight.csr.cols, row_ptr.data(),
                         whole.col_idx.data() + begin[0], whole.values.data() + begin[0]};
    linears.push_back(Linear::make(csr, bias.data == nullptr ? nullptr : bias.data + g * group_rows,
                                   spec.activation, options));
    if (linears.back() == nullptr) throw std::bad_alloc();
  }
  return std::make_unique<Conv>(shape, channels, std::move(linears), context.isa);
}

}  // namespace

extern const OperationType kConvType = {"conv",
                                        false,
                                        {{"channels", FieldKind::kSize},
                                         {"groups", FieldKind::kSize},
                                         ESPALIER_WINDOW_FIELDS,
                                         {"weight", FieldKind::kMatrix},
                                         {"bias", FieldKind::kOptionalFloats},
                                         {"activation", FieldKind::kActivation}},
                                        make};

}  // namespace espalier
