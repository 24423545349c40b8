// Operations on sequences, of attention and of normalisation against naive float64 loops, at odd
// geometries, for every instruction set and numbers of threads, in buffers that end at a guard
// page.
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <functional>
#include <random>

#include "program/program.h"
#include "test/linear_test_support.h"

namespace espalier::test {
namespace {

using Sample = std::vector<double>;
using Oracle = std::function<Sample(const std::vector<Sample>&)>;

// One operation whose inputs are those of the program, with what its spec borrows.
struct Fixture {
  ProgramSpec spec;
  std::deque<std::vector<float>> floats;
  std::deque<Csr> matrices;
  // Inputs that are not normally distributed: whole numbers in [0, n), by input.
  std::vector<int> whole;

  Fixture(const char* type, std::vector<uint64_t> inputs, uint64_t output) {
    OperationSpec op;
    op.type = op.name = type;
    for (uint64_t features : inputs) {
      op.inputs.push_back(spec.features.size());
      spec.inputs.push_back(spec.features.size());
      spec.features.push_back(features);
    }
    op.output = spec.features.size();
    spec.features.push_back(output);
    spec.outputs = {op.output};
    spec.operations = {op};
    whole.assign(inputs.size(), 0);
  }
  OperationSpec& op() { return spec.operations[0]; }
  FloatsSpec random(size_t length, uint32_t seed) {
    floats.push_back(random_floats(length, seed));
    return {floats.back().data(), length};
  }
  const Csr& matrix(uint32_t rows, uint32_t cols, double sparsity, uint32_t seed) {
    matrices.push_back(random_csr(rows, cols, sparsity, seed));
    const float scale = 1 / std::sqrt(static_cast<float>(cols));
    for (float& weight : matrices.back().values) weight *= scale;
    const Csr& csr = matrices.back();
    op().matrices = {{csr.view(), csr.row_ptr.size(), csr.col_idx.size(), csr.values.size()}};
    return csr;
  }

  void check(const Oracle& oracle, uint32_t seed) const {
    for (Isa isa : available_isas()) {
      for (int threads : {1, 2}) {
        ProgramOptions options;
        options.matrices.isa = isa;
        options.threads = threads;
        if (threads > 1) options.pool = std::make_shared<ThreadPool>(threads);
        Refused refused;
        const auto program = Program::make(spec, options, &refused);
        ASSERT_NE(program, nullptr) << refused.message;
        for (size_t batch : {1, 3, 4, 5, 17, 64, 67}) run(*program, batch, oracle, seed);
      }
    }
  }

 private:
  void run(Program& program, size_t batch, const Oracle& oracle, uint32_t seed) const {
    std::vector<std::unique_ptr<GuardedFloats>> inputs;
    std::vector<const float*> pointers;
    for (size_t i = 0; i < spec.inputs.size(); ++i) {
      inputs.push_back(std::make_unique<GuardedFloats>(batch * spec.features[i]));
      const auto values = random_floats(inputs[i]->size(), seed + static_cast<uint32_t>(i));
      for (size_t j = 0; j < values.size(); ++j) {
        (*inputs[i])[j] = whole[i] == 0 ? values[j]
                                        : std::floor(std::fabs(std::fmod(values[j] * 100, 1.0f)) *
                                                     static_cast<float>(whole[i]));
      }
      pointers.push_back(inputs[i]->data());
    }
    const size_t features = spec.features.back();
    GuardedFloats output(batch * features);
    output.fill(kNan);
    float* outputs[] = {output.data()};
    Workspace workspace;
    ASSERT_TRUE(program.prepare(batch));
    ASSERT_TRUE(program.run(workspace, batch, pointers.data(), outputs));
    for (size_t s = 0; s < batch; ++s) {
      std::vector<Sample> sample;
      for (size_t i = 0; i < inputs.size(); ++i) {
        const float* begin = inputs[i]->data() + s * spec.features[i];
        sample.emplace_back(begin, begin + spec.features[i]);
      }
      const Sample expected = oracle(sample);
      ASSERT_EQ(expected.size(), features);
      double magnitude = 1;
      for (double v : expected) magnitude = std::max(magnitude, std::isnan(v) ? 0 : std::fabs(v));
      for (size_t f = 0; f < features; ++f) {
        if (std::isnan(expected[f])) continue;  // padding of planes
        ASSERT_NEAR(output[s * features + f], expected[f], 2e-5 * magnitude)
            << "sample " << s << " of " << batch << ", feature " << f;
      }
    }
  }
};

double value_at(const Csr& csr, size_t row, size_t col) {
  for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
    if (static_cast<size_t>(csr.col_idx[i]) == col) return csr.values[i];
  }
  return 0;
}

TEST(SequenceOperationsTest, NormalizeOverRunsAndPlanes) {
  struct Case {
    uint64_t groups, rows, valid, stride;
  };
  uint32_t seed = 1;
  for (const Case& c :
       {Case{1, 1, 1, 1}, Case{3, 1, 7, 7}, Case{2, 1, 33, 33}, Case{1, 1, 300, 300},
        Case{2, 3, 17, 32}, Case{5, 1, 16, 16}, Case{1, 2, 4100, 4112}}) {
    for (uint64_t statistic : {0, 1, 2}) {
      const uint64_t group = c.rows * c.stride;
      Fixture f("normalize", {c.groups * group}, c.groups * group);
      f.op().sizes = {c.rows, c.valid, c.stride, statistic};
      f.op().numbers = {1e-3f};
      const bool scaled = c.rows == 1;
      f.op().floats = {scaled ? f.random(c.valid, ++seed) : FloatsSpec{},
                       scaled && statistic == 0 ? f.random(c.valid, ++seed) : FloatsSpec{}};
      const FloatsSpec scale = f.op().floats[0], offset = f.op().floats[1];
      f.check(
          [&](const std::vector<Sample>& inputs) {
            Sample y(inputs[0].size(), NAN);
            const double size = static_cast<double>(c.rows * c.valid);
            for (uint64_t g = 0; g < c.groups; ++g) {
              double mean = 0, squares = 0;
              const auto each = [&](const auto& body) {
                for (uint64_t r = 0; r < c.rows; ++r) {
                  for (uint64_t i = 0; i < c.valid; ++i) body(g * group + r * c.stride + i, i);
                }
              };
              if (statistic == 0) each([&](size_t at, size_t) { mean += inputs[0][at] / size; });
              each([&](size_t at, size_t) { squares += std::pow(inputs[0][at] - mean, 2); });
              const double root =
                  std::sqrt(statistic == 2 ? std::max(squares, 1e-3) : squares / size + 1e-3f);
              each([&](size_t at, size_t i) {
                y[at] = (inputs[0][at] - mean) / root * (scale.data ? scale.data[i] : 1) +
                        (offset.data ? offset.data[i] : 0);
              });
            }
            return y;
          },
          ++seed);
    }
  }
}

TEST(SequenceOperationsTest, LogSoftmax) {
  for (uint64_t group : {1, 3, 8, 17, 40}) {
    Fixture f("log_softmax", {group * 2}, group * 2);
    f.op().sizes = {group};
    f.check(
        [&](const std::vector<Sample>& inputs) {
          Sample y = inputs[0];
          for (size_t g = 0; g < y.size(); g += group) {
            double sum = 0;
            for (size_t i = 0; i < group; ++i) sum += std::exp(inputs[0][g + i]);
            for (size_t i = 0; i < group; ++i) y[g + i] -= std::log(sum);
          }
          return y;
        },
        static_cast<uint32_t>(group));
  }
}

TEST(SequenceOperationsTest, EmbeddingOfDenseAndSparseTables) {
  for (double sparsity : {0.0, 0.9, 1.0}) {
    for (uint32_t cols : {1, 5, 33}) {
      Fixture f("embedding", {7}, uint64_t{7} * cols);
      const Csr& table = f.matrix(11, cols, sparsity, cols);
      f.op().sizes = {7};
      f.whole = {11};
      f.check(
          [&](const std::vector<Sample>& inputs) {
            Sample y;
            for (double x : inputs[0]) {
              for (uint32_t j = 0; j < cols; ++j) {
                y.push_back(value_at(table, static_cast<size_t>(x), j));
              }
            }
            return y;
          },
          cols);
    }
  }
}

TEST(SequenceOperationsTest, MasksOfStepsAndScores) {
  Fixture steps("step_mask", {5 * 2}, 5);
  steps.op().sizes = {2, 0};
  steps.op().numbers = {1.0f};
  steps.whole = {2};
  steps.check(
      [](const std::vector<Sample>& inputs) {
        Sample y;
        for (size_t t = 0; t < 5; ++t)
          y.push_back(inputs[0][2 * t] != 1 || inputs[0][2 * t + 1] != 1);
        return y;
      },
      3);
  for (uint64_t flags = 0; flags < 8; ++flags) {
    const uint64_t causal = flags & 1, query = flags >> 1 & 1, value = flags >> 2;
    std::vector<uint64_t> features = {2 * 3 * 5};
    if (query) features.push_back(3);
    if (value) features.push_back(5);
    Fixture f("mask_scores", features, 2 * 3 * 5);
    f.op().sizes = {2, 3, 5, causal, query, value};
    for (size_t i = 1; i < features.size(); ++i) f.whole[i] = 2;
    f.check(
        [&](const std::vector<Sample>& inputs) {
          Sample y = inputs[0];
          for (size_t i = 0; i < y.size(); ++i) {
            const size_t target = i / 5 % 3, source = i % 5;
            const bool seen = (!causal || source <= target) && (!query || inputs[1][target] != 0) &&
                              (!value || inputs.back()[source] != 0);
            if (!seen) y[i] = static_cast<float>(y[i] - 1e9);
          }
          return y;
        },
        static_cast<uint32_t>(flags));
  }
}

TEST(SequenceOperationsTest, MatmulInEveryOrder) {
  uint32_t seed = 1;
  for (uint64_t heads : {1, 3}) {
    for (uint64_t m : {1, 2, 9}) {
      for (uint64_t n : {1, 7, 16, 35}) {
        for (uint64_t k : {1, 5, 18}) {
          for (int order = 0; order < 4; ++order) {
            // [heads, rows, depth], [heads, depth, rows], [rows, heads, depth], [depth, heads,
            // rows]
            const auto steps = [&](uint64_t rows) -> std::vector<uint64_t> {
              if (order == 0) return {rows * k, k, 1};
              if (order == 1) return {rows * k, 1, rows};
              if (order == 2) return {k, heads * k, 1};
              return {rows, 1, heads * rows};
            };
            const auto a = steps(m), b = steps(n);
            const uint64_t y_head = order < 2 ? m * n : n, y_row = order < 2 ? n : heads * n;
            Fixture f("matmul", {heads * m * k, heads * n * k}, heads * m * n);
            f.op().sizes = {heads, m, n, k, a[0], a[1], a[2], b[0], b[1], b[2], y_head, y_row};
            f.check(
                [&](const std::vector<Sample>& inputs) {
                  Sample y(heads * m * n);
                  for (uint64_t h = 0; h < heads; ++h) {
                    for (uint64_t i = 0; i < m; ++i) {
                      for (uint64_t j = 0; j < n; ++j) {
                        double& sum = y[h * y_head + i * y_row + j];
                        for (uint64_t l = 0; l < k; ++l) {
                          sum += inputs[0][h * a[0] + i * a[1] + l * a[2]] *
                                 inputs[1][h * b[0] + j * b[1] + l * b[2]];
                        }
                      }
                    }
                  }
                  return y;
                },
                ++seed);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// As src/program/operations/recurrent.ts tells it. sizes: of the spec.
Sample recurrent(const std::vector<uint64_t>& sizes, const Csr& w, const FloatsSpec& bias,
                 const std::vector<Sample>& inputs) {
  const uint64_t cell = sizes[0], units = sizes[1], steps = sizes[2];
  const bool backwards = sizes[3], in_place = sizes[4], sequences = sizes[5], states = sizes[6];
  const bool initial = sizes[7], masked = sizes[8], zero_output = sizes[9];
  const uint64_t gates = cell == 0 ? 1 : cell == 1 ? 4 : 3;
  Sample h(units), c(units), last(units), y((sequences ? steps : 1) * units);
  if (initial) h = inputs[1];
  if (initial && cell == 1) c = inputs[2];
  const auto product = [&](const Sample& v, uint64_t row) {
    double sum = bias.data == nullptr ? 0 : bias.data[row];
    for (uint64_t j = 0; j < units; ++j) sum += value_at(w, row, j) * v[j];
    return sum;
  };
  for (uint64_t i = 0; i < steps; ++i) {
    const uint64_t t = backwards ? steps - 1 - i : i;
    Sample out = last;
    if (!masked || inputs.back()[t] != 0) {
      const auto x = [&](uint64_t gate, uint64_t j) {
        return inputs[0][(t * gates + gate) * units + j];
      };
      const auto sum = [&](uint64_t gate, uint64_t j) {
        return x(gate, j) + product(h, gate * units + j);
      };
      Sample next(units), next_c(units), reset(units);
      if (cell == 2) {
        for (uint64_t j = 0; j < units; ++j) reset[j] = sigmoid(sum(1, j)) * h[j];
      }
      for (uint64_t j = 0; j < units; ++j) {
        if (cell == 0) next[j] = std::tanh(sum(0, j));
        if (cell == 1) {
          next_c[j] = sigmoid(sum(1, j)) * c[j] + sigmoid(sum(0, j)) * std::tanh(sum(2, j));
          next[j] = sigmoid(sum(3, j)) * std::tanh(next_c[j]);
        }
        if (cell >= 2) {
          const double inner = cell == 2 ? product(reset, 2 * units + j)
                                         : sigmoid(sum(1, j)) * product(h, 2 * units + j);
          const double z = sigmoid(sum(0, j));
          next[j] = z * h[j] + (1 - z) * std::tanh(x(2, j) + inner);
        }
      }
      h = next;
      c = next_c;
      out = h;
    } else if (zero_output && sequences) {
      out.assign(units, 0);
    }
    last = out;
    const uint64_t place = !sequences ? 0 : backwards && in_place ? t : i;
    std::copy(out.begin(), out.end(), y.begin() + static_cast<ptrdiff_t>(place * units));
  }
  if (states) y.insert(y.end(), h.begin(), h.end());
  if (states && cell == 1) y.insert(y.end(), c.begin(), c.end());
  return y;
}

TEST(SequenceOperationsTest, RecurrentCellsWithEveryFlag) {
  for (uint32_t seed = 0; seed < 128; ++seed) {
    std::mt19937 random(seed);
    const uint64_t cell = seed % 4, units = 1 + random() % 37, steps = 1 + random() % 6;
    std::vector<uint64_t> sizes = {cell, units, steps};
    for (int flag = 0; flag < 7; ++flag) sizes.push_back(random() % 2);
    const uint64_t gates = cell == 0 ? 1 : cell == 1 ? 4 : 3, count = cell == 1 ? 2 : 1;
    std::vector<uint64_t> inputs = {steps * gates * units};
    if (sizes[7]) inputs.insert(inputs.end(), count, units);
    if (sizes[8]) inputs.push_back(steps);
    const uint64_t outputs = (sizes[5] ? steps : 1) * units + (sizes[6] ? count * units : 0);
    Fixture f("recurrent", inputs, outputs);
    f.op().sizes = sizes;
    if (sizes[8]) f.whole.back() = 2;
    f.op().activation.kind = ActivationKind::kTanh;
    f.op().recurrent_activation.kind = ActivationKind::kSigmoid;
    const Csr& w = f.matrix(static_cast<uint32_t>(gates * units), static_cast<uint32_t>(units),
                            seed % 3 == 0 ? 0.0 : 0.8, seed);
    f.op().floats = {cell == 3 && random() % 2 ? f.random(gates * units, seed) : FloatsSpec{}};
    const FloatsSpec bias = f.op().floats[0];
    f.check([&](const std::vector<Sample>& x) { return recurrent(sizes, w, bias, x); }, seed);
    if (HasFatalFailure()) return;
  }
}

TEST(SequenceOperationsTest, AnIndexOutsideOfTheTableFailsTheCallAndNoOther) {
  Fixture f("embedding", {2}, 6);
  f.matrix(5, 3, 0, 1);
  f.op().sizes = {2};
  Refused refused;
  const auto program = Program::make(f.spec, {}, &refused);
  ASSERT_NE(program, nullptr) << refused.message;
  Workspace workspace;
  for (size_t batch : {1, 4, 70}) {
    std::vector<float> x(2 * batch, 4.0f), y(6 * batch);
    const float* inputs[] = {x.data()};
    float* outputs[] = {y.data()};
    ASSERT_TRUE(program->prepare(batch));
    for (float wrong : {5.0f, -1.0f, kNan, kInf, -kInf, 3e38f}) {
      x.back() = wrong;
      EXPECT_FALSE(program->run(workspace, batch, inputs, outputs));
      EXPECT_NE(workspace.problem().find("[0, 5)"), std::string::npos) << workspace.problem();
    }
    x.back() = 0.9f;
    EXPECT_TRUE(program->run(workspace, batch, inputs, outputs));
    EXPECT_EQ(workspace.problem(), "");
  }
}

// Every size of every operation, as a number that fits nothing.
TEST(SequenceOperationsTest, SizesThatDoNotFitAreRefused) {
  std::vector<std::unique_ptr<Fixture>> all;
  const auto add = [&](const char* type, std::vector<uint64_t> inputs, uint64_t output,
                       std::vector<uint64_t> sizes) -> Fixture& {
    all.push_back(std::make_unique<Fixture>(type, inputs, output));
    all.back()->op().sizes = std::move(sizes);
    return *all.back();
  };
  Fixture& normalize = add("normalize", {12}, 12, {1, 4, 4, 0});
  normalize.op().numbers = {0.1f};
  normalize.op().floats = {normalize.random(4, 1), {}};
  add("log_softmax", {6}, 6, {3});
  add("embedding", {3}, 6, {3}).matrix(4, 2, 0, 1);
  add("step_mask", {6}, 3, {2, 0}).op().numbers = {0};
  add("mask_scores", {12, 3}, 12, {2, 3, 2, 0, 1, 0});
  add("matmul", {24, 32}, 24, {2, 3, 4, 4, 12, 4, 1, 16, 4, 1, 12, 4});
  Fixture& gru = add("recurrent", {12, 2}, 4, {3, 2, 2, 0, 0, 1, 0, 0, 1, 0});
  gru.matrix(6, 2, 0, 1);
  gru.op().floats = {gru.random(6, 2)};
  for (auto& fixture : all) {
    Refused refused;
    ASSERT_NE(Program::make(fixture->spec, {}, &refused), nullptr) << refused.message;
    for (size_t i = 0; i < fixture->op().sizes.size(); ++i) {
      for (uint64_t wrong : {uint64_t{50}, uint64_t{1} << 31, uint64_t{1} << 40, UINT64_MAX}) {
        ProgramSpec spec = fixture->spec;
        spec.operations[0].sizes[i] = wrong;
        if (Program::make(spec, {}, &refused) != nullptr) {
          ADD_FAILURE() << fixture->op().type << " takes " << wrong << " as size " << i;
        } else {
          EXPECT_EQ(refused.code, "INVALID_MODEL") << refused.message;
        }
      }
    }
    for (size_t i = 0; i < fixture->spec.features.size(); ++i) {
      ProgramSpec spec = fixture->spec;
      spec.features[i] += 1;
      EXPECT_EQ(Program::make(spec, {}, &refused), nullptr)
          << fixture->op().type << " feature " << i;
    }
  }
}

}  // namespace
}  // namespace espalier::test
