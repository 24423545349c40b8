// The NativeModel of src/engine/addon.ts.
#ifndef ESPALIER_NATIVE_ADDON_MODEL_H_
#define ESPALIER_NATIVE_ADDON_MODEL_H_

#include <napi.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "program/program.h"

namespace espalier {

struct Environment;

// Everything but compute() belongs to the JavaScript thread.
class Model {
 public:
  Model(std::shared_ptr<Environment> environment, std::unique_ptr<Program> program)
      : environment_(std::move(environment)), program_(std::move(program)) {}

  // Throws Refused{DISPOSED}.
  Program& program();
  bool disposed() const { return program_ == nullptr; }
  // On the JavaScript thread. False if memory runs out, or the inputs are wrong as problem() tells.
  bool compute_now(size_t batch, const float* const* inputs, float* const* outputs) {
    return program_->prepare(batch) && program_->run(now_, batch, inputs, outputs);
  }
  std::string problem() const { return now_.problem(); }
  // The same, anywhere. Between begin() and end(). `prepared` is told the predicted time before the
  // work begins; *problem is what the inputs do wrong.
  template <typename F>
  bool compute(size_t batch, const float* const* inputs, float* const* outputs,
               std::string* problem, F prepared) {
    if (!program_->prepare(batch)) return false;
    prepared(program_->predicted_ns(batch));
    std::unique_ptr<Workspace> workspace = take_workspace();
    if (workspace == nullptr) return false;
    const bool done = program_->run(*workspace, batch, inputs, outputs);
    *problem = workspace->problem();
    give_workspace(std::move(workspace));
    return done;
  }
  // What each operation takes, as Program::profile tells it. On the JavaScript thread.
  bool profile_now(size_t batch, const float* const* inputs, float* const* outputs, int repeats,
                   double* ns) {
    return program_->prepare(batch) && program_->profile(now_, batch, inputs, outputs, repeats, ns);
  }
  void begin();  // a call that runs elsewhere
  void end();
  void dispose();  // waits for those
  size_t bytes();
  // Tells V8 of the memory that the model keeps alive, so that it collects forgotten models in
  // time. Once when made, and once when disposed or collected.
  void report_memory(Napi::Env env);
  void unreport_memory(Napi::Env env);

  Environment& environment() { return *environment_; }

 private:
  std::unique_ptr<Workspace> take_workspace();
  void give_workspace(std::unique_ptr<Workspace> workspace);

  std::shared_ptr<Environment> environment_;
  std::unique_ptr<Program> program_;  // nullptr once disposed
  Workspace now_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int running_ = 0;
  int64_t reported_ = 0;
  std::vector<std::unique_ptr<Workspace>> free_;
};

// The JavaScript object with the methods of NativeModel.
Napi::Object make_model_object(Napi::Env env, const std::shared_ptr<Model>& model);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_ADDON_MODEL_H_
