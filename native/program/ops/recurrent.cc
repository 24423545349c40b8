// The recurrent half of SimpleRNN, LSTM and GRU: the input's half (W x + b for all steps) comes in,
// a sparse product W h a step is added to it.
//
// Inputs: projections [steps, gates * units]; the initial states if `initial` (h; LSTM h and c),
// each [units]; the mask [steps] if `masked`: 0 keeps the states as they are. Output: h of every
// step if `sequences`, else the last; then the last states if `states`.
#include <cmath>
#include <cstring>

#include "program/ops/elementwise_operation.h"
#include "program/ops/image.h"
#include "program/own_matrix.h"

namespace espalier {
namespace {

// As their names stand in the field "cell". GRU: the reset gate before the recurrent product, or
// after it.
enum class Cell : uint64_t { kSimple, kLstm, kGruBefore, kGruAfter };

struct Settings {
  Cell cell;
  size_t units, steps;
  bool backwards;  // from the last step to the first
  bool in_place;   // backwards: outputs lie where their inputs do, not in the order of computing
  bool sequences, states, initial, masked;
  bool zero_output;  // at masked steps: 0 instead of the output before
  Activation activation, gate;

  size_t gates() const { return cell == Cell::kSimple ? 1 : cell == Cell::kLstm ? 4 : 3; }
  size_t state_count() const { return cell == Cell::kLstm ? 2 : 1; }
  size_t output_features() const {
    return (sequences ? steps : 1) * units + (states ? state_count() * units : 0);
  }
};

class Recurrent final : public Operation {
 public:
  // products: W h of all gates; for kGruBefore those of z and r, and that of r * h.
  Recurrent(const Settings& settings, std::vector<std::unique_ptr<Linear>> products, Isa isa)
      : kernels_(elementwise_kernels(isa)), set_(settings), products_(std::move(products)) {}

  bool prepare(int n) override {
    for (auto& product : products_) {
      if (!product->prepare(n)) return false;
    }
    return true;
  }
  size_t scratch(int n) const override {
    return n <= kSampleMajorMax
               ? n * (aligned_values(set_.gates() * set_.units) + 4 * aligned_values(set_.units))
               : n * (set_.gates() + 4) * set_.units;
  }
  void run_samples(const OperationCall& call, int, int) const override { run<false>(call); }
  void run_panel(const OperationCall& call, int, int) const override { run<true>(call); }

  double predicted_ns(int n) const override { return set_.steps * step_ns(n, false); }
  OperationInfo info(int n) const override {
    const LinearInfo chosen = products_[0]->info(n);
    OperationInfo info;
    info.cols = products_[0]->cols();
    for (const auto& product : products_) {
      info.rows += product->rows();
      info.nnz += product->nnz();
    }
    info.layout = chosen.layout;
    info.kernel = chosen.kernel;
    info.reason = chosen.reason;
    info.values = chosen.values;
    info.predicted_ns = predicted_ns(n);
    info.dense_ns = set_.steps * step_ns(n, true);
    info.bytes = bytes();
    return info;
  }
  size_t bytes() const override {
    size_t total = 0;
    for (const auto& product : products_) total += product->bytes();
    return total;
  }

 private:
  double step_ns(int n, bool dense) const {
    const double columns = n <= kSampleMajorMax ? n : static_cast<double>(aligned_values(n));
    double ns = columns * set_.units *
                (0.5 + activation_ns(set_.activation.kind) +
                 static_cast<double>(set_.gates() - 1) * activation_ns(set_.gate.kind));
    for (const auto& product : products_) {
      const LinearInfo chosen = product->info(n);
      ns += dense ? chosen.dense_ns : chosen.predicted_ns;
    }
    return ns;
  }

  // What one call computes in, by blocks: the features of one sample, or their rows of a panel.
  struct Buffers {
    float *h, *c, *next, *rest, *z;
    size_t h_stride, z_stride;  // from one sample to the next
  };

  // Calls body(offset, length) for the runs of `features` features of one block.
  template <bool kPanel, typename Body>
  static void for_runs(const OperationCall& call, size_t features, const Body& body) {
    if constexpr (kPanel) {
      const size_t ld = call.output_stride, live = aligned_values(call.n);
      if (ld == live) return body(0, features * ld);
      for (size_t f = 0; f < features; ++f) body(f * ld, live);
    } else {
      body(0, features);
    }
  }

  template <bool kPanel>
  static void multiply(const Linear& product, const OperationCall& call, const float* x,
                       size_t x_stride, float* y, size_t y_stride) {
    if constexpr (kPanel) {
      product.run_panel(x, call.output_stride, y, call.output_stride, call.n, 0, 1);
    } else {
      product.run_samples(x, x_stride, y, y_stride, call.n, 0, 1);
    }
  }

  template <bool kPanel>
  void run(const OperationCall& call) const {
    const size_t units = set_.units, gate_features = set_.gates() * units;
    const size_t step = kPanel ? call.output_stride : 1;
    const size_t blocks = kPanel ? 1 : call.n;
    Buffers b;
    b.h_stride = kPanel ? units * step : aligned_values(units);
    b.z_stride = kPanel ? gate_features * step : aligned_values(gate_features);
    b.h = call.scratch;
    b.c = b.h + blocks * b.h_stride;
    b.next = b.c + blocks * b.h_stride;
    b.rest = b.next + blocks * b.h_stride;
    b.z = b.rest + blocks * b.h_stride;
    start<kPanel>(call, b, blocks);
    // The output before a masked step, where it is not the state: 0 before the first step.
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < set_.steps; ++i) {
      const size_t t = set_.backwards ? set_.steps - 1 - i : i;
      compute<kPanel>(call, b, blocks, t);
      const size_t place = !set_.sequences ? 0 : set_.backwards && set_.in_place ? t : i;
      for (size_t s = 0; s < blocks; ++s) {
        float* y = call.output + (kPanel ? 0 : s * call.output_stride);
        const float* before = last == SIZE_MAX ? nullptr : y + last * units * step;
        write<kPanel>(call, b, s, t, before, y + place * units * step);
      }
      last = place;
    }
    finish<kPanel>(call, b, blocks);
  }

  template <bool kPanel>
  void start(const OperationCall& call, Buffers& b, size_t blocks) const {
    for (size_t s = 0; s < blocks; ++s) {
      for (size_t state = 0; state < set_.state_count(); ++state) {
        float* to = (state == 0 ? b.h : b.c) + s * b.h_stride;
        const float* from = nullptr;
        if (set_.initial) {
          const Operand& input = call.input(1 + state);
          from = input.data + (kPanel ? 0 : s * input.stride);
        }
        for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
          if (from == nullptr) {
            std::memset(to + at, 0, n * sizeof(float));
          } else {
            std::memcpy(to + at, from + at, n * sizeof(float));
          }
        });
      }
    }
  }

  template <bool kPanel>
  void finish(const OperationCall& call, Buffers& b, size_t blocks) const {
    if (!set_.states) return;
    const size_t units = set_.units, step = kPanel ? call.output_stride : 1;
    for (size_t s = 0; s < blocks; ++s) {
      float* y = call.output + (kPanel ? 0 : s * call.output_stride) +
                 (set_.sequences ? set_.steps : 1) * units * step;
      for (size_t state = 0; state < set_.state_count(); ++state) {
        const float* from = (state == 0 ? b.h : b.c) + s * b.h_stride;
        for_runs<kPanel>(call, units, [&](size_t at, size_t n) {
          std::memcpy(y + state * units * step + at, from + at, n * sizeof(float));
        });
      }
    }
  }

  // What a step of one block computes with: the projections x, the gates z = W h, the states.
  struct Step {
    const float* x;
    float *z, *h, *c, *next, *rest;
    size_t block;  // floats of a gate
  };
  template <bool kPanel>
  Step step_of(const OperationCall& call, const Buffers& b, size_t s, size_t t) const {
    const Operand& input = call.input(0);
    const size_t block = set_.units * (kPanel ? call.output_stride : 1);
    const float* x = input.data + (kPanel ? 0 : s * input.stride) + t * set_.gates() * block;
    const size_t at = s * b.h_stride;
    return {x, b.z + s * b.z_stride, b.h + at, b.c + at, b.next + at, b.rest + at, block};
  }

  // The new h in b.next, and for LSTM the new c in the first gate of b.z.
  template <bool kPanel>
  void compute(const OperationCall& call, Buffers& b, size_t blocks, size_t t) const {
    multiply<kPanel>(*products_[0], call, b.h, b.h_stride, b.z, b.z_stride);
    for (size_t s = 0; s < blocks; ++s) {
      const Step step = step_of<kPanel>(call, b, s, t);
      switch (set_.cell) {
        case Cell::kSimple:
          simple<kPanel>(call, step);
          break;
        case Cell::kLstm:
          lstm<kPanel>(call, step);
          break;
        case Cell::kGruBefore:
          gru_before<kPanel>(call, step);
          break;
        case Cell::kGruAfter:
          gru_after<kPanel>(call, step);
          break;
      }
    }
    if (set_.cell == Cell::kSimple || set_.cell == Cell::kLstm) return;
    if (set_.cell == Cell::kGruBefore) {
      multiply<kPanel>(*products_[1], call, b.rest, b.h_stride, b.next, b.h_stride);
    }
    for (size_t s = 0; s < blocks; ++s) gru_end<kPanel>(call, step_of<kPanel>(call, b, s, t));
  }

  // Adds the projections of the first `count` gates.
  template <bool kPanel>
  void project(const OperationCall& call, const Step& step, size_t count) const {
    for_runs<kPanel>(call, count * set_.units, [&](size_t at, size_t n) {
      kernels_.accumulate(step.x + at, step.z + at, n);
    });
  }
  template <bool kPanel>
  void activate(const OperationCall& call, const Step& step, Activation activation, size_t first,
                size_t count) const {
    for_runs<kPanel>(call, count * set_.units, [&](size_t at, size_t n) {
      kernels_.activate(activation, step.z + first * step.block + at, n);
    });
  }

  template <bool kPanel>
  void simple(const OperationCall& call, const Step& step) const {
    project<kPanel>(call, step, 1);
    activate<kPanel>(call, step, set_.activation, 0, 1);
    for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
      std::memcpy(step.next + at, step.z + at, n * sizeof(float));
    });
  }

  template <bool kPanel>
  void lstm(const OperationCall& call, const Step& step) const {
    project<kPanel>(call, step, 4);
    activate<kPanel>(call, step, set_.gate, 0, 2);
    activate<kPanel>(call, step, set_.activation, 2, 1);
    activate<kPanel>(call, step, set_.gate, 3, 1);
    for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
      float* in = step.z + at;
      float* next = step.next + at;
      const float* c = step.c + at;
      const float* forget = step.z + step.block + at;
      const float* candidate = step.z + 2 * step.block + at;
      const float* out = step.z + 3 * step.block + at;
      for (size_t j = 0; j < n; ++j) {
        in[j] = forget[j] * c[j] + in[j] * candidate[j];
        next[j] = in[j];
      }
      kernels_.activate(set_.activation, next, n);
      for (size_t j = 0; j < n; ++j) next[j] *= out[j];
    });
  }

  // The reset state, of which the second product makes the candidate.
  template <bool kPanel>
  void gru_before(const OperationCall& call, const Step& step) const {
    project<kPanel>(call, step, 2);
    activate<kPanel>(call, step, set_.gate, 0, 2);
    for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
      const float* reset = step.z + step.block + at;
      for (size_t j = 0; j < n; ++j) step.rest[at + j] = reset[j] * step.h[at + j];
    });
  }

  template <bool kPanel>
  void gru_after(const OperationCall& call, const Step& step) const {
    project<kPanel>(call, step, 2);
    activate<kPanel>(call, step, set_.gate, 0, 2);
    for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
      const float* projected = step.x + 2 * step.block + at;
      const float* reset = step.z + step.block + at;
      const float* candidate = step.z + 2 * step.block + at;
      for (size_t j = 0; j < n; ++j) step.next[at + j] = projected[j] + reset[j] * candidate[j];
    });
  }

  // Between the state and the candidate, by the update gate.
  template <bool kPanel>
  void gru_end(const OperationCall& call, const Step& step) const {
    for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
      const float* update = step.z + at;
      const float* h = step.h + at;
      float* next = step.next + at;
      if (set_.cell == Cell::kGruBefore) {
        kernels_.accumulate(step.x + 2 * step.block + at, next, n);
      }
      kernels_.activate(set_.activation, next, n);
      for (size_t j = 0; j < n; ++j) next[j] = update[j] * h[j] + (1.0f - update[j]) * next[j];
    });
  }

  // Takes the new states over where the step is not masked, and writes its output.
  template <bool kPanel>
  void write(const OperationCall& call, Buffers& b, size_t s, size_t t, const float* before,
             float* y) const {
    float* h = b.h + s * b.h_stride;
    float* c = b.c + s * b.h_stride;
    const float* next_h = b.next + s * b.h_stride;
    const float* next_c = b.z + s * b.z_stride;
    if (!set_.masked) {
      for_runs<kPanel>(call, set_.units, [&](size_t at, size_t n) {
        std::memcpy(h + at, next_h + at, n * sizeof(float));
        if (set_.cell == Cell::kLstm) std::memcpy(c + at, next_c + at, n * sizeof(float));
        std::memcpy(y + at, next_h + at, n * sizeof(float));
      });
      return;
    }
    const Operand& mask = call.input(call_inputs() - 1);
    const size_t step = kPanel ? call.output_stride : 1;
    const float* seen = kPanel ? mask.data + t * mask.stride : mask.data + s * mask.stride + t;
    for (int column = 0; column < (kPanel ? call.n : 1); ++column) {
      const bool kept = seen[column] == 0.0f;
      for (size_t j = 0; j < set_.units; ++j) {
        const size_t at = j * step + column;
        if (kept) {
          // Without sequences y is `before` and stays.
          y[at] = (set_.zero_output && set_.sequences) || before == nullptr ? 0.0f : before[at];
          continue;
        }
        h[at] = next_h[at];
        if (set_.cell == Cell::kLstm) c[at] = next_c[at];
        y[at] = next_h[at];
      }
    }
  }

  size_t call_inputs() const { return 1 + (set_.initial ? set_.state_count() : 0) + 1; }

  const ElementwiseKernels& kernels_;
  Settings set_;
  std::vector<std::unique_ptr<Linear>> products_;
};

bool flag(const OperationSpec& spec, size_t index, const char* name) {
  if (spec.sizes[index] > 1) refuse_model(std::string(name) + ": expected 0 or 1");
  return spec.sizes[index] == 1;
}

// Rows [begin, end) of a matrix.
Csr rows_of(const Csr& csr, uint32_t begin, uint32_t end) {
  Csr part;
  part.rows = end - begin;
  part.cols = csr.cols;
  const int32_t first = csr.row_ptr[begin], last = csr.row_ptr[end];
  for (uint32_t row = begin; row <= end; ++row) part.row_ptr.push_back(csr.row_ptr[row] - first);
  part.col_idx.assign(csr.col_idx.begin() + first, csr.col_idx.begin() + last);
  part.values.assign(csr.values.begin() + first, csr.values.begin() + last);
  return part;
}

std::unique_ptr<Operation> make(const OperationSpec& spec, const OperationContext& context) {
  if (spec.sizes[0] > static_cast<uint64_t>(Cell::kGruAfter)) refuse_model("cell: expected 0 to 3");
  require_extent(spec.sizes[1], "units");
  require_extent(spec.sizes[2], "steps");
  Settings set;
  set.cell = static_cast<Cell>(spec.sizes[0]);
  set.units = spec.sizes[1];
  set.steps = spec.sizes[2];
  set.backwards = flag(spec, 3, "backwards");
  set.in_place = flag(spec, 4, "inPlace");
  set.sequences = flag(spec, 5, "sequences");
  set.states = flag(spec, 6, "states");
  set.initial = flag(spec, 7, "initial");
  set.masked = flag(spec, 8, "masked");
  set.zero_output = flag(spec, 9, "zeroOutput");
  set.activation = spec.activation;
  set.gate = spec.recurrent_activation;
  const uint64_t rows = set.gates() * set.units;
  const MatrixSpec& weight = spec.matrices[0];
  if (weight.csr.rows != rows || weight.csr.cols != set.units) {
    refuse_model("weight: expected " + std::to_string(rows) + " rows and " +
                 std::to_string(set.units) + " columns, received " +
                 std::to_string(weight.csr.rows) + " and " + std::to_string(weight.csr.cols));
  }
  const FloatsSpec& bias = spec.floats[0];
  if (bias.data != nullptr && (set.cell != Cell::kGruAfter || bias.length != rows)) {
    refuse_model("bias: only a GRU that resets after the product has one, of a value a row");
  }
  require_finite(bias, "bias");
  const auto& inputs = context.input_features;
  const size_t states = set.initial ? set.state_count() : 0;
  if (inputs.size() != 1 + states + (set.masked ? 1 : 0)) {
    refuse_model("inputs: expected the projections and what initial and masked tell of");
  }
  require_features(inputs[0], feature_product(set.steps, rows), "input");
  for (size_t i = 1; i <= states; ++i) require_features(inputs[i], set.units, "input");
  if (set.masked) require_features(inputs.back(), set.steps, "input");
  require_features(context.output_features,
                   feature_product(set.steps, set.units) == 0 ? 0 : set.output_features(),
                   "output");
  const LinearOptions& options = context.matrices;
  if (options.layout == "dense" && rows * set.units > uint64_t{1} << 29) {
    throw Refused{"LIMIT_EXCEEDED", "weight is too large for the dense layout"};
  }
  std::vector<std::unique_ptr<Linear>> products;
  const auto add = [&](Csr csr) {
    products.push_back(Linear::make(std::move(csr), bias.data, {}, options));
    if (products.back() == nullptr) throw std::bad_alloc();
  };
  Csr csr = own_matrix(weight, "weight");
  if (set.cell == Cell::kGruBefore) {
    const uint32_t units = static_cast<uint32_t>(set.units);
    add(rows_of(csr, 0, 2 * units));
    add(rows_of(csr, 2 * units, 3 * units));
  } else {
    add(std::move(csr));
  }
  return std::make_unique<Recurrent>(set, std::move(products), context.isa);
}

}  // namespace

extern const OperationType kRecurrentType = {
    "recurrent",
    true,
    {{"cell", FieldKind::kChoice, {"simple", "lstm", "gru_reset_before", "gru_reset_after"}},
     {"units", FieldKind::kSize},
     {"steps", FieldKind::kSize},
     {"backwards", FieldKind::kFlag},
     {"inPlace", FieldKind::kFlag},
     {"sequences", FieldKind::kFlag},
     {"states", FieldKind::kFlag},
     {"initial", FieldKind::kFlag},
     {"masked", FieldKind::kFlag},
     {"zeroOutput", FieldKind::kFlag},
     {"weight", FieldKind::kMatrix},
     {"bias", FieldKind::kOptionalFloats},
     {"cellActivation", FieldKind::kActivation},
     {"recurrentActivation", FieldKind::kRecurrentActivation}},
    make};

}  // namespace espalier
