// A checked program and its executor.
//
// Batches up to kSampleMajorMax run sample-major, straight from and into the caller's buffers.
// Larger ones go four samples at a time where an operation takes only samples; else they are cut
// into panels of up to 64 columns; each goes through all operations before the next, so that a
// small network never leaves the cache, and is transposed at its two ends only. Results do not
// depend on the number of threads. On the size of the batch they do, in the last bits, as layouts
// and the order of sums differ by it, unless ProgramOptions::reproducible.
//
// To add an operation: see operation.h.
#ifndef ESPALIER_NATIVE_PROGRAM_PROGRAM_H_
#define ESPALIER_NATIVE_PROGRAM_PROGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cpu/features.h"
#include "cpu/gate.h"
#include "cpu/thread_pool.h"
#include "program/operation.h"
#include "program/plan.h"
#include "program/refused.h"
#include "program/spec.h"
#include "sparse/aligned.h"

namespace espalier {

struct ProgramOptions {
  LinearOptions matrices;  // of which `isa` is that of all operations
  int threads = 1;
  // Each sample by itself, whatever the batch: its answer has the same bits in all of them.
  bool reproducible = false;
  std::shared_ptr<ThreadPool> pool;  // may be null: one thread
};

// The buffers of one call at a time. Grows as needed and is kept between calls.
class Workspace {
 public:
  size_t bytes() const;
  // What the inputs of the last call did wrong; empty if nothing.
  std::string problem() const {
    return fault_ == nullptr || !fault_->seen() ? std::string() : fault_->message();
  }

 private:
  friend class Program;
  // Where profile() wants the times of the operations, and how often each runs.
  struct Profile {
    double* ns;
    int repeats;
  };
  // One thread's view of a program's values.
  struct Lane {
    AlignedVector<float> arena;
    std::vector<Operand> operands;  // of all values
    float* scratch = nullptr;
    Fault* fault = nullptr;  // the workspace's
    const Profile* profile = nullptr;
    const Plan* resolved = nullptr;  // for which `operands` were filled in
  };
  std::vector<Lane> lanes_;
  std::vector<const float*> inputs_;
  std::vector<float*> outputs_;
  std::vector<AlignedVector<float>> copies_;
  std::unique_ptr<Fault> fault_;
};

class Program {
 public:
  // Checks everything that running it depends on and packs what the operations want at once. The
  // arrays of the spec are no longer needed afterwards. nullptr with the reason in *refused, which
  // names the operation at fault.
  static std::unique_ptr<Program> make(const ProgramSpec& spec, const ProgramOptions& options,
                                       Refused* refused);

  size_t input_count() const { return inputs_.size(); }
  size_t output_count() const { return outputs_.size(); }
  // Floats a sample.
  size_t input_features(size_t i) const { return features_[inputs_[i]]; }
  size_t output_features(size_t i) const { return features_[outputs_[i]]; }

  // Packs what a batch needs; quick if that is there. Waits for running calls if it is not. False
  // if memory runs out. Any thread may call it.
  bool prepare(size_t batch) {
    return (prepared_.load(std::memory_order_acquire) & 1u << plan_for(batch)) != 0 ||
           prepare_plan(batch);
  }

  // Computes batch >= 1 samples: inputs[i] has batch * input_features(i) floats, outputs[i]
  // likewise. Outputs may overlap inputs, not each other. Needs prepare(batch) and a workspace that
  // nobody uses at the time. Many threads may call it. False if memory runs out, when nothing is
  // written, or if the inputs are wrong: workspace.problem() tells which.
  bool run(Workspace& workspace, size_t batch, const float* const* inputs, float* const* outputs);
  // The same, with what each operation took in ns[i], nanoseconds of the whole batch. Each runs
  // `repeats` times in a row and the mean is told, for those that take less than the clock can
  // tell. Parts of an operation run on all threads, but panels do not run side by side.
  bool profile(Workspace& workspace, size_t batch, const float* const* inputs,
               float* const* outputs, int repeats, double* ns);
  size_t operation_count() const { return steps_.size(); }

  // About how long a call takes on one thread. Needs prepare(batch).
  double predicted_ns(size_t batch);
  // Of each operation, for a whole batch. Needs prepare(batch).
  std::vector<OperationInfo> explain(size_t batch);
  // Of everything packed.
  size_t bytes();
  int threads() const { return threads_; }

 private:
  Program() = default;
  size_t plan_for(size_t batch) const {
    return plan_index(std::min<size_t>(batch, panel_columns_));
  }
  bool prepare_plan(size_t batch);
  bool reserve(Workspace& workspace, const Plan& plan, size_t lanes) const;
  void resolve(Workspace::Lane& lane, const Plan& plan) const;
  // Samples [sample, sample + n) of the batch.
  void run_samples(Workspace::Lane& lane, const Plan& plan, size_t sample, int n,
                   const float* const* inputs, float* const* outputs) const;
  void run_panels(Workspace& workspace, const Plan& plan, size_t batch, const float* const* inputs,
                  float* const* outputs) const;
  // Columns [column, column + n) of the batch.
  void run_panel(Workspace::Lane& lane, const Plan& plan, size_t column, int n, int threads,
                 const float* const* inputs, float* const* outputs) const;
  template <bool kPanel>
  void run_operations(const Workspace::Lane& lane, const Plan& plan, int n, int threads) const;
  template <bool kPanel>
  void run_step(const Step& step, const OperationCall& call, const Plan& plan, int threads) const;
  // How many threads may take whole panels of the batch.
  size_t lanes_for(size_t batch) const;
  double panel_ns(int n) const;

  std::vector<size_t> features_;
  std::vector<uint32_t> inputs_;
  std::vector<uint32_t> outputs_;
  // Outputs that no operation writes into the caller's buffer: inputs, and values with two names.
  std::vector<bool> copied_;
  std::vector<Step> steps_;
  const ElementwiseKernels* kernels_ = nullptr;
  std::shared_ptr<ThreadPool> pool_;
  int threads_ = 1;
  int panel_columns_ = kPanelColumns;
  Gate gate_;  // alone: packing
  std::atomic<uint32_t> prepared_{0};
  std::array<Plan, kPlans> plans_;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_PROGRAM_H_
