// Random programs with arrays of their own, and a naive float64 run of any program.
#ifndef ESPALIER_NATIVE_TEST_PROGRAM_TEST_SUPPORT_H_
#define ESPALIER_NATIVE_TEST_PROGRAM_TEST_SUPPORT_H_

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "program/program.h"
#include "test/linear_test_support.h"

namespace espalier::test {

// A spec together with what it borrows.
struct OwnedProgram {
  ProgramSpec spec;
  std::deque<Csr> matrices;
  std::deque<std::vector<float>> floats;

  uint64_t value(uint64_t features) {
    spec.features.push_back(features);
    return spec.features.size() - 1;
  }
  FloatsSpec random(size_t length, uint32_t seed) {
    floats.push_back(random_floats(length, seed));
    return {floats.back().data(), length};
  }
  OperationSpec& add(const char* type, std::vector<uint64_t> inputs, uint64_t features) {
    OperationSpec operation;
    operation.type = type;
    operation.name = std::string(type) + std::to_string(spec.operations.size());
    operation.inputs = std::move(inputs);
    operation.output = value(features);
    spec.operations.push_back(operation);
    return spec.operations.back();
  }
  uint64_t linear(uint64_t input, uint32_t rows, uint64_t positions, double sparsity, bool bias,
                  Activation activation, uint32_t seed) {
    const uint32_t cols = static_cast<uint32_t>(spec.features[input] / positions);
    matrices.push_back(random_csr(rows, cols, sparsity, seed));
    // Sums that stay near 1, whatever the depth.
    const float scale = 1 / std::sqrt(static_cast<float>((1 - sparsity) * cols + 1));
    for (float& weight : matrices.back().values) weight *= scale;
    const Csr& csr = matrices.back();
    OperationSpec& operation = add("linear", {input}, rows * positions);
    operation.sizes = {positions};
    operation.matrices = {{csr.view(), csr.row_ptr.size(), csr.col_idx.size(), csr.values.size()}};
    operation.floats = {bias ? random(rows, seed + 1) : FloatsSpec{}};
    operation.activation = activation;
    return operation.output;
  }
  uint64_t affine(uint64_t input, size_t period, Activation activation, uint32_t seed) {
    OperationSpec& operation = add("affine", {input}, spec.features[input]);
    operation.floats = {random(period, seed), random(period, seed + 1)};
    operation.activation = activation;
    return operation.output;
  }
  uint64_t activate(uint64_t input, Activation activation) {
    OperationSpec& operation = add("activate", {input}, spec.features[input]);
    operation.activation = activation;
    return operation.output;
  }
  uint64_t softmax(uint64_t input, uint64_t group) {
    OperationSpec& operation = add("softmax", {input}, spec.features[input]);
    operation.sizes = {group};
    return operation.output;
  }
  uint64_t sum(std::vector<uint64_t> inputs, Activation activation) {
    const uint64_t features = spec.features[inputs[0]];
    OperationSpec& operation = add("add", std::move(inputs), features);
    operation.activation = activation;
    return operation.output;
  }
  uint64_t concat(std::vector<uint64_t> inputs, uint64_t outer) {
    uint64_t features = 0;
    for (uint64_t input : inputs) features += spec.features[input];
    OperationSpec& operation = add("concat", std::move(inputs), features);
    operation.sizes = {outer};
    return operation.output;
  }
};

inline double apply(Activation activation, double x) {
  switch (activation.kind) {
    case ActivationKind::kRelu:
      return x < 0 ? 0 : x;
    case ActivationKind::kLeakyRelu:
      return x < 0 ? activation.alpha * x : x;
    case ActivationKind::kTanh:
      return std::tanh(x);
    case ActivationKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    default:
      return x;
  }
}
inline constexpr Activation kTestActivations[] = {
    {},
    {ActivationKind::kRelu, 0, 0},
    {ActivationKind::kLeakyRelu, 0.2f, 0},
    {ActivationKind::kTanh, 0, 0},
    {ActivationKind::kSigmoid, 0, 0},
    {ActivationKind::kGelu, 0, 0},
};

// All values of one sample.
inline std::vector<std::vector<double>> naive(const ProgramSpec& spec,
                                              const std::vector<std::vector<double>>& inputs) {
  std::vector<std::vector<double>> values(spec.features.size());
  for (size_t i = 0; i < spec.inputs.size(); ++i) values[spec.inputs[i]] = inputs[i];
  for (const OperationSpec& operation : spec.operations) {
    const std::vector<double>& x = values[operation.inputs[0]];
    std::vector<double> y(spec.features[operation.output], 0.0);
    if (operation.type == "linear") {
      const CsrView& csr = operation.matrices[0].csr;
      for (uint64_t p = 0; p < operation.sizes[0]; ++p) {
        for (uint32_t row = 0; row < csr.rows; ++row) {
          double sum = operation.floats[0].data == nullptr ? 0 : operation.floats[0].data[row];
          for (int32_t i = csr.row_ptr[row]; i < csr.row_ptr[row + 1]; ++i) {
            sum += csr.values[i] * x[p * csr.cols + csr.col_idx[i]];
          }
          y[p * csr.rows + row] = sum;
        }
      }
    } else if (operation.type == "affine") {
      const size_t period = operation.floats[0].length;
      for (size_t i = 0; i < y.size(); ++i) {
        y[i] = x[i] * operation.floats[0].data[i % period] + operation.floats[1].data[i % period];
      }
    } else if (operation.type == "softmax") {
      for (size_t begin = 0; begin < y.size(); begin += operation.sizes[0]) {
        double most = x[begin], sum = 0;
        for (size_t i = 0; i < operation.sizes[0]; ++i) most = std::max(most, x[begin + i]);
        for (size_t i = 0; i < operation.sizes[0]; ++i) sum += std::exp(x[begin + i] - most);
        for (size_t i = 0; i < operation.sizes[0]; ++i) {
          y[begin + i] = std::exp(x[begin + i] - most) / sum;
        }
      }
    } else if (operation.type == "concat") {
      size_t next = 0;
      for (uint64_t outer = 0; outer < operation.sizes[0]; ++outer) {
        for (uint64_t input : operation.inputs) {
          const size_t run = values[input].size() / operation.sizes[0];
          for (size_t i = 0; i < run; ++i) y[next++] = values[input][outer * run + i];
        }
      }
    } else {  // activate, add
      for (uint64_t input : operation.inputs) {
        for (size_t i = 0; i < y.size(); ++i) y[i] += values[input][i];
      }
    }
    for (double& v : y) v = apply(operation.activation, v);
    values[operation.output] = y;
  }
  return values;
}

// Values grow and shrink, branch and join; every type of operation comes up.
inline OwnedProgram random_program(uint32_t seed) {
  std::mt19937 random(seed);
  const auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
  OwnedProgram program;
  const size_t inputs = 1 + pick(2);
  for (size_t i = 0; i < inputs; ++i) {
    program.spec.inputs.push_back(program.value(1 + pick(6) * (1 + pick(15))));
  }
  const size_t operations = 1 + pick(10);
  for (size_t i = 0; i < operations; ++i) {
    const uint64_t input = pick(program.spec.features.size());
    const uint64_t features = program.spec.features[input];
    std::vector<uint64_t> divisors;
    for (uint64_t d = 1; d <= features; ++d) {
      if (features % d == 0) divisors.push_back(d);
    }
    const uint64_t divisor = divisors[pick(divisors.size())];
    const Activation activation = kTestActivations[pick(std::size(kTestActivations))];
    switch (pick(8)) {
      case 0:
        program.affine(input, divisor, activation, random());
        break;
      case 1:
        program.activate(input, activation);
        break;
      case 2:
        program.softmax(input, divisor);
        break;
      case 3:
        program.sum({input, input, input}, activation);
        break;
      case 4:
        program.concat({input, pick(program.spec.features.size())}, 1);
        break;
      case 5:
        program.concat({input, input}, divisor);
        break;
      default: {
        const uint64_t positions = divisor <= 70 ? divisor : 1;
        const uint32_t rows = static_cast<uint32_t>(1 + pick(positions > 1 ? 20 : 90));
        const double sparsities[] = {0, 0.5, 0.9};
        program.linear(input, rows, positions, sparsities[pick(3)], pick(2) == 0, activation,
                       random());
      }
    }
  }
  // The last value and two others, which may be inputs or have two names.
  program.spec.outputs = {program.spec.features.size() - 1, pick(program.spec.features.size()),
                          pick(program.spec.features.size())};
  return program;
}

inline ProgramOptions options_for(Isa isa, const std::string& layout = "", int threads = 1,
                                  std::shared_ptr<ThreadPool> pool = nullptr) {
  ProgramOptions options;
  options.matrices.isa = isa;
  options.matrices.layout = layout;
  options.threads = threads;
  options.pool = std::move(pool);
  return options;
}

}  // namespace espalier::test

#endif  // ESPALIER_NATIVE_TEST_PROGRAM_TEST_SUPPORT_H_
