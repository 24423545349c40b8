// Programs against a naive float64 run, and against what nobody should load.
#include "program/program.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "test/program_test_support.h"

namespace espalier::test {
namespace {

std::unique_ptr<Program> load(const OwnedProgram& owned, const ProgramOptions& options) {
  Refused refused;
  std::unique_ptr<Program> program = Program::make(owned.spec, options, &refused);
  EXPECT_NE(program, nullptr) << refused.code << ": " << refused.message;
  return program;
}

using Buffers = std::vector<std::unique_ptr<GuardedFloats>>;

// Guarded inputs and outputs of one call.
struct Call {
  size_t batch;
  Buffers inputs, outputs;
  std::vector<const float*> input_pointers;
  std::vector<float*> output_pointers;

  Call(const Program& program, size_t batch, uint32_t seed) : batch(batch) {
    for (size_t i = 0; i < program.input_count(); ++i) {
      inputs.push_back(std::make_unique<GuardedFloats>(batch * program.input_features(i)));
      const auto values = random_floats(inputs.back()->size(), seed + static_cast<uint32_t>(i));
      std::copy(values.begin(), values.end(), inputs.back()->data());
      input_pointers.push_back(inputs.back()->data());
    }
    for (size_t i = 0; i < program.output_count(); ++i) {
      outputs.push_back(std::make_unique<GuardedFloats>(batch * program.output_features(i)));
      outputs.back()->fill(kNan);
      output_pointers.push_back(outputs.back()->data());
    }
  }
  void run(Program& program, Workspace& workspace) {
    ASSERT_TRUE(program.prepare(batch));
    ASSERT_TRUE(program.run(workspace, batch, input_pointers.data(), output_pointers.data()));
  }
  std::vector<std::vector<float>> results() const {
    std::vector<std::vector<float>> all;
    for (const auto& output : outputs) {
      all.emplace_back(output->data(), output->data() + output->size());
    }
    return all;
  }
  void check(const ProgramSpec& spec) const {
    for (size_t s = 0; s < batch; ++s) {
      std::vector<std::vector<double>> sample;
      for (size_t i = 0; i < inputs.size(); ++i) {
        const size_t features = spec.features[spec.inputs[i]];
        const float* begin = inputs[i]->data() + s * features;
        sample.emplace_back(begin, begin + features);
      }
      const auto values = naive(spec, sample);
      for (size_t o = 0; o < outputs.size(); ++o) {
        const std::vector<double>& expected = values[spec.outputs[o]];
        double magnitude = 1;
        for (double v : expected) magnitude = std::max(magnitude, std::fabs(v));
        for (size_t f = 0; f < expected.size(); ++f) {
          ASSERT_NEAR((*outputs[o])[s * expected.size() + f], expected[f], 2e-4 * magnitude)
              << "sample " << s << " output " << o << " feature " << f << " batch " << batch;
        }
      }
    }
  }
};

constexpr size_t kBatches[] = {1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 63, 64, 65, 128, 131};

class ProgramTest : public testing::TestWithParam<Variant> {};
INSTANTIATE_TEST_SUITE_P(Variants, ProgramTest, testing::ValuesIn(variants()),
                         [](const auto& info) {
                           return std::string(isa_name(info.param.isa)) + "_" +
                                  (info.param.layout.empty() ? "chosen" : info.param.layout);
                         });

TEST_P(ProgramTest, RandomProgramsMatchTheNaiveRun) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    const OwnedProgram owned = random_program(seed);
    const auto program = load(owned, options_for(GetParam().isa, GetParam().layout));
    Workspace workspace;
    for (size_t i = 0; i < 4; ++i) {
      const size_t batch = kBatches[(seed * 7 + i * 4) % std::size(kBatches)];
      Call call(*program, batch, seed);
      ASSERT_NO_FATAL_FAILURE(call.run(*program, workspace));
      ASSERT_NO_FATAL_FAILURE(call.check(owned.spec)) << "seed " << seed;
    }
  }
}

// One network of each operation, at every batch size.
OwnedProgram tour() {
  OwnedProgram owned;
  const uint64_t x = owned.value(60);
  owned.spec.inputs = {x};
  const uint64_t scaled = owned.affine(x, 20, {}, 1);
  const uint64_t wide = owned.linear(scaled, 33, 6, 0.5, true, kTestActivations[1], 2);
  const uint64_t joined = owned.concat({wide, x}, 3);
  const uint64_t deep = owned.linear(joined, 60, 1, 0.9, true, kTestActivations[3], 4);
  const uint64_t added = owned.sum({deep, x}, kTestActivations[5]);
  const uint64_t classes = owned.softmax(owned.activate(added, kTestActivations[4]), 12);
  owned.spec.outputs = {classes, deep};
  return owned;
}

TEST_P(ProgramTest, EveryBatchSize) {
  const OwnedProgram owned = tour();
  const auto program = load(owned, options_for(GetParam().isa, GetParam().layout));
  Workspace workspace;
  for (size_t batch : kBatches) {
    Call call(*program, batch, static_cast<uint32_t>(batch));
    ASSERT_NO_FATAL_FAILURE(call.run(*program, workspace));
    ASSERT_NO_FATAL_FAILURE(call.check(owned.spec));
  }
}

// Large enough that threads are used, by rows and by panels.
OwnedProgram large() {
  OwnedProgram owned;
  const uint64_t x = owned.value(512);
  owned.spec.inputs = {x};
  const uint64_t a = owned.linear(x, 700, 1, 0.5, true, kTestActivations[3], 1);
  const uint64_t b = owned.linear(a, 512, 1, 0.7, true, kTestActivations[1], 3);
  const uint64_t c = owned.sum({x, b}, {});
  const uint64_t d = owned.linear(c, 32, 16, 0.5, true, kTestActivations[4], 5);
  owned.spec.outputs = {owned.softmax(d, 64)};
  return owned;
}

TEST(Program, ThreadsChangeNoBit) {
  const OwnedProgram owned = large();
  const auto pool = std::make_shared<ThreadPool>(3);
  const auto one = load(owned, options_for(best_isa()));
  for (int threads : {2, 3, 4}) {
    const auto several = load(owned, options_for(best_isa(), "", threads, pool));
    Workspace workspace, workspaces;
    for (size_t batch : {1, 3, 4, 7, 64, 100, 129, 320, 400}) {
      Call expected(*one, batch, 7), actual(*several, batch, 7);
      ASSERT_NO_FATAL_FAILURE(expected.run(*one, workspace));
      ASSERT_NO_FATAL_FAILURE(actual.run(*several, workspaces));
      ASSERT_EQ(actual.results(), expected.results()) << threads << " threads, batch " << batch;
    }
  }
}

TEST(Program, CallsAndPackingFromSeveralThreads) {
  const OwnedProgram owned = large();
  const auto pool = std::make_shared<ThreadPool>(2);
  const auto program = load(owned, options_for(best_isa(), "", 3, pool));
  const auto reference = load(owned, options_for(best_isa()));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Workspace workspace, own;
      for (size_t batch : {1, 5, 40, 2, 64, 130, 3, 16}) {
        Call call(*program, batch, t), expected(*program, batch, t);
        call.run(*program, workspace);
        expected.run(*reference, own);
        // Which regime serves a batch may change as others are packed; both are right.
        const auto got = call.results()[0], want = expected.results()[0];
        for (size_t i = 0; i < got.size(); ++i) wrong += !(std::fabs(got[i] - want[i]) < 1e-5f);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Program, OutputsMayOverlapInputs) {
  const OwnedProgram owned = [] {
    OwnedProgram program;
    program.spec.inputs = {program.value(40)};
    program.spec.outputs = {program.linear(0, 40, 1, 0.5, true, kTestActivations[1], 1)};
    return program;
  }();
  const auto program = load(owned, options_for(best_isa()));
  Workspace workspace;
  for (size_t batch : {1, 3, 5, 64, 130}) {
    Call expected(*program, batch, 3);
    ASSERT_NO_FATAL_FAILURE(expected.run(*program, workspace));
    for (size_t shift : {0, 1, 40, 77}) {
      std::vector<float> memory(batch * 40 + shift);
      std::copy_n(expected.input_pointers[0], batch * 40, memory.begin());
      const float* input = memory.data();
      float* output = memory.data() + shift;
      ASSERT_TRUE(program->run(workspace, batch, &input, &output));
      for (size_t i = 0; i < batch * 40; ++i) {
        ASSERT_EQ(output[i], (*expected.outputs[0])[i]) << "batch " << batch << " shift " << shift;
      }
    }
  }
}

TEST(Program, NanInOneSampleStaysInIt) {
  const OwnedProgram owned = tour();
  const auto program = load(owned, options_for(best_isa()));
  Workspace workspace;
  for (size_t batch : {2, 4, 5, 20, 70}) {
    Call clean(*program, batch, 5), call(*program, batch, 5);
    (*call.inputs[0])[60 * (batch / 2)] = kNan;
    ASSERT_NO_FATAL_FAILURE(clean.run(*program, workspace));
    ASSERT_NO_FATAL_FAILURE(call.run(*program, workspace));
    const auto got = call.results()[0], want = clean.results()[0];
    for (size_t i = 0; i < got.size(); ++i) {
      if (i / 60 == batch / 2) continue;
      ASSERT_EQ(got[i], want[i]) << "batch " << batch << " at " << i;
    }
    EXPECT_TRUE(std::isnan(got[60 * (batch / 2)]));
  }
}

TEST(Program, ExplainTellsEachOperation) {
  const OwnedProgram owned = tour();
  const auto program = load(owned, options_for(best_isa()));
  ASSERT_TRUE(program->prepare(100));
  const auto infos = program->explain(100);
  ASSERT_EQ(infos.size(), owned.spec.operations.size());
  for (size_t i = 0; i < infos.size(); ++i) {
    EXPECT_EQ(infos[i].name, owned.spec.operations[i].name);
    EXPECT_EQ(infos[i].op, owned.spec.operations[i].type);
    EXPECT_FALSE(infos[i].kernel.empty());
    EXPECT_FALSE(infos[i].reason.empty());
    EXPECT_GT(infos[i].predicted_ns, 0);
  }
  EXPECT_EQ(infos[1].rows, 33u);
  EXPECT_EQ(infos[1].cols, 10u);
  EXPECT_EQ(infos[1].nnz, owned.matrices[0].values.size());
  EXPECT_GT(program->bytes(), 0u);
}

// What must be refused, and a word of the reason.
struct Bad {
  const char* reason;
  std::function<void(OwnedProgram&)> spoil;
};

TEST(Program, RefusesWhatItCouldNotRunSafely) {
  static std::vector<float> few(3, 1.0f), nan(60, kNan);
  static std::vector<int32_t> indices(100, 59);
  const Bad cases[] = {
      {"no such operation", [](OwnedProgram& p) { p.spec.operations[0].type = "conv9"; }},
      {"written twice", [](OwnedProgram& p) { p.spec.operations[1].output = 0; }},
      {"written twice", [](OwnedProgram& p) { p.spec.inputs.push_back(0); }},
      {"index of one of", [](OwnedProgram& p) { p.spec.operations[1].inputs[0] = 99; }},
      {"index of one of", [](OwnedProgram& p) { p.spec.operations[1].output = UINT64_MAX; }},
      {"index of one of", [](OwnedProgram& p) { p.spec.outputs[0] = 1000; }},
      {"not computed by then", [](OwnedProgram& p) { p.spec.operations[0].inputs[0] = 5; }},
      {"not computed by then", [](OwnedProgram& p) { p.spec.outputs.push_back(p.value(4)); }},
      {"an input and an output", [](OwnedProgram& p) { p.spec.inputs.clear(); }},
      {"an input and an output", [](OwnedProgram& p) { p.spec.outputs.clear(); }},
      {"received 0", [](OwnedProgram& p) { p.spec.features[2] = 0; }},
      {"received", [](OwnedProgram& p) { p.spec.features[2] = UINT64_MAX; }},
      {"more than", [](OwnedProgram& p) { p.spec.features.resize(12, uint64_t{1} << 29); }},
      {"values: expected", [](OwnedProgram& p) { p.spec.features.clear(); }},
      {"do not divide",
       [](OwnedProgram& p) {
         p.spec.operations[0].floats[0].length = 0;
         p.spec.operations[0].floats[1].length = 0;
       }},
      {"offset", [](OwnedProgram& p) { p.spec.operations[0].floats[1].length = 4; }},
      {"must be finite",
       [](OwnedProgram& p) {
         p.spec.operations[0].floats[0] = {nan.data(), 60};
         p.spec.operations[0].floats[1] = {nan.data(), 60};
       }},
      {"positions", [](OwnedProgram& p) { p.spec.operations[1].sizes[0] = 0; }},
      {"positions", [](OwnedProgram& p) { p.spec.operations[1].sizes[0] = UINT64_MAX; }},
      {"positions", [](OwnedProgram& p) { p.spec.operations[1].sizes[0] = 5; }},
      {"row_ptr", [](OwnedProgram& p) { p.spec.operations[1].matrices[0].row_ptr_length = 1; }},
      {"col_idx", [](OwnedProgram& p) { p.spec.operations[1].matrices[0].col_idx_length = 1; }},
      {"col_idx must be less",
       [](OwnedProgram& p) {
         MatrixSpec& matrix = p.spec.operations[1].matrices[0];
         matrix.csr.col_idx = indices.data();
         matrix.col_idx_length = matrix.values_length;
         indices.resize(matrix.values_length, 59);
         matrix.csr.col_idx = indices.data();
       }},
      {"finite", [](OwnedProgram& p) { p.matrices[0].values[3] = kInf; }},
      {"not be zero", [](OwnedProgram& p) { p.matrices[0].values[3] = 0; }},
      {"a row and a column",
       [](OwnedProgram& p) {
         MatrixSpec& matrix = p.spec.operations[1].matrices[0];
         matrix.csr.rows = 0;
         matrix.row_ptr_length = 1;
         matrix.col_idx_length = matrix.values_length = 0;
         static const int32_t zero = 0;
         matrix.csr.row_ptr = &zero;
       }},
      {"bias",
       [](OwnedProgram& p) {
         p.spec.operations[1].floats[0] = {few.data(), 3};
       }},
      {"bias",
       [](OwnedProgram& p) {
         p.spec.operations[1].floats[0] = {nan.data(), 33};
       }},
      {"lacks", [](OwnedProgram& p) { p.spec.operations[1].matrices.clear(); }},
      {"lacks", [](OwnedProgram& p) { p.spec.operations[1].sizes.push_back(1); }},
      {"lacks", [](OwnedProgram& p) { p.spec.operations[1].inputs.push_back(0); }},
      {"no such activation",
       [](OwnedProgram& p) {
         p.spec.operations[1].activation.kind = static_cast<ActivationKind>(77);
       }},
      {"does not divide", [](OwnedProgram& p) { p.spec.operations[2].sizes[0] = 7; }},
      {"outer", [](OwnedProgram& p) { p.spec.operations[2].sizes[0] = 0; }},
      {"in all", [](OwnedProgram& p) { p.spec.features[p.spec.operations[2].output] = 30; }},
      {"two inputs", [](OwnedProgram& p) { p.spec.operations[4].inputs.pop_back(); }},
      {"features", [](OwnedProgram& p) { p.spec.operations[4].inputs[1] = 2; }},
      {"group", [](OwnedProgram& p) { p.spec.operations[6].sizes[0] = 0; }},
      {"group", [](OwnedProgram& p) { p.spec.operations[6].sizes[0] = 61; }},
  };
  int index = 0;
  for (const Bad& bad : cases) {
    OwnedProgram owned = tour();
    bad.spoil(owned);
    Refused refused;
    EXPECT_EQ(Program::make(owned.spec, options_for(best_isa()), &refused), nullptr)
        << index << ": " << bad.reason;
    EXPECT_NE(refused.message.find(bad.reason), std::string::npos)
        << index << ": " << bad.reason << " in " << refused.message;
    ++index;
  }
}

TEST(Program, HugeValuesGetNarrowPanelsOrAreRefused) {
  OwnedProgram owned;
  owned.spec.inputs = {owned.value(3 << 20)};
  owned.spec.outputs = {owned.activate(0, {})};
  const auto program = load(owned, options_for(best_isa()));
  ASSERT_NE(program, nullptr);
  OwnedProgram huge;
  huge.spec.inputs = {huge.value(uint64_t{1} << 28)};
  huge.spec.outputs = {huge.activate(0, {})};
  Refused refused;
  EXPECT_EQ(Program::make(huge.spec, options_for(best_isa()), &refused), nullptr);
  EXPECT_EQ(refused.code, "LIMIT_EXCEEDED");
}

}  // namespace
}  // namespace espalier::test
