// One step of a program: checked, packed, ready to run. A type of operation is a file in ops/.
//
// To add one:
//  1. ops/<type>.cc: a class derived from Operation, a `make` that checks the spec, and an
//     OperationType which names the fields of its file in src/program/operations. The addon reads
//     them by this list: nothing else is to be written for it.
//  2. Its line in ops/types.cc.
//  3. Where the random programs of the tests are to use it, its naive form in
//     native/test/program_test_support.h. The cases of its file in src/program/operations hold it
//     to the plain reference either way.
//
// Values lie as kernels/values.h says: sample-major for batches up to kSampleMajorMax, panels of up
// to kPanelColumns columns above. A value of an image is `channels * height * width` features
// either way: sample-major, the pixels of a channel are contiguous; in a panel, each pixel of each
// channel is a row of samples. An operation that wants the former at any batch size transposes
// through its scratch.
#ifndef ESPALIER_NATIVE_PROGRAM_OPERATION_H_
#define ESPALIER_NATIVE_PROGRAM_OPERATION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cpu/features.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"
#include "kernels/values.h"
#include "program/spec.h"

namespace espalier {

// What explain() tells of an operation for a batch.
struct OperationInfo {
  std::string name;
  std::string op;
  uint64_t rows = 0;  // of its matrix; 0 without one
  uint64_t cols = 0;
  uint64_t nnz = 0;
  std::string layout;
  std::string kernel;
  std::string reason;
  double predicted_ns = 0;  // for a call with this many columns, one thread
  double dense_ns = 0;
  double measured_ns = 0;   // where it was tuned, else 0
  const char* values = "";  // the format of the packed weights
  size_t bytes = 0;
};

struct Operand {
  const float* data;
  size_t stride;  // from one sample to the next; of a panel: from one feature to the next
};

// What inputs may do wrong while a program runs: the first operation to meet it says so, and the
// call fails. Shared by all parts of a call.
class Fault {
 public:
  // `index`, which is none of [0, rows).
  void report(float index, uint32_t rows) {
    if (seen_.exchange(true, std::memory_order_relaxed)) return;
    index_ = index;
    rows_ = rows;
  }
  bool seen() const { return seen_.load(std::memory_order_relaxed); }
  // Once all parts are done.
  std::string message() const {
    return "indices: expected integers in [0, " + std::to_string(rows_) + "), received " +
           std::to_string(index_);
  }
  void clear() { seen_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> seen_{false};
  float index_ = 0;
  uint32_t rows_ = 0;
};

struct OperationCall {
  const Operand* values;   // all of the program
  const uint32_t* inputs;  // which of them
  float* output;
  size_t output_stride;
  int n;           // samples or columns
  float* scratch;  // scratch(n) floats of this part's own, on a cache line
  Fault* fault;

  const Operand& input(size_t i) const { return values[inputs[i]]; }
};

class Operation {
 public:
  virtual ~Operation() = default;

  // Whether it only takes samples: a program with such an operation runs sample-major at any batch
  // size, some samples at a time.
  virtual bool samples_only() const { return false; }
  // Packs for a batch of n, as Linear::prepare does. False if memory runs out.
  virtual bool prepare(int n) { return n > 0; }
  // How many parts a call is worth splitting into; at most max_parts. Needs prepare(n).
  virtual int parts(int n, int max_parts) const {
    (void)n, (void)max_parts;
    return 1;
  }
  // Floats that each part needs for itself.
  virtual size_t scratch(int n) const {
    (void)n;
    return 0;
  }
  // Compute part `part` of `parts`. Parts may run at the same time; together they write every
  // feature of the output, and nothing else. Inputs and output do not overlap. Columns from n up to
  // the next multiple of 16 may be read and written and mean nothing.
  virtual void run_samples(const OperationCall& call, int part, int parts) const = 0;
  virtual void run_panel(const OperationCall& call, int part, int parts) const = 0;

  // About how long a call takes on one thread: what the executor decides by whether to wake others.
  virtual double predicted_ns(int n) const = 0;
  // All but name and op.
  virtual OperationInfo info(int n) const = 0;
  virtual size_t bytes() const { return 0; }
};

enum class FieldKind {
  kSize,
  kFlag,    // true or false: 1 or 0 in OperationSpec::sizes
  kChoice,  // a name of `choices`: its index in OperationSpec::sizes
  kNumber,
  kFloats,
  kOptionalFloats,
  kIndices,
  kMatrix,
  kActivation,
  kRecurrentActivation
};
struct Field {
  const char* name;  // in src/program/operations
  FieldKind kind;
  std::vector<const char*> choices = {};  // of kChoice, in the order of the enumeration in C++
};

// What `make` is given beside the spec.
struct OperationContext {
  std::vector<uint64_t> input_features;
  uint64_t output_features;
  Isa isa;
  LinearOptions matrices;  // how those are packed and run
};

struct OperationType {
  const char* name;
  bool many_inputs;  // `inputs` in program.ts, else `input`
  std::vector<Field> fields;
  // Refuses by throwing Refused (refused.h) with a reason; every array's length and content that
  // running depends on is checked here. Values, inputs and output exist, and are checked already.
  std::unique_ptr<Operation> (*make)(const OperationSpec& spec, const OperationContext& context);
};

// nullptr if there is none.
const OperationType* find_operation_type(const std::string& name);
const std::vector<const OperationType*>& operation_types();

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_OPERATION_H_
