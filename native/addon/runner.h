// Computes run()'s calls off the JavaScript thread and settles their promises.
//
// One queue an environment, served by few threads that take job after job: a burst of small calls
// wakes one thread, and one message back to the event loop settles all that are done by then.
// Another thread is woken only while work that is worth it waits, or waits behind such work. There
// are as many threads as processors, and one more for each further model: none waits until another
// one's long job is done.
#ifndef ESPALIER_NATIVE_ADDON_RUNNER_H_
#define ESPALIER_NATIVE_ADDON_RUNNER_H_

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "sparse/aligned.h"

namespace espalier {

class Model;

struct RunJob {
  std::shared_ptr<Model> model;
  size_t batch;
  AlignedVector<float> memory;  // inputs, then outputs: the job's own
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
  std::vector<size_t> output_lengths;
  std::optional<Napi::Promise::Deferred> deferred;
  bool done = false;    // else memory ran out, or:
  std::string problem;  // what the inputs do wrong
};

class Runner {
 public:
  // Throws as js.h says.
  Runner(Napi::Env env, int most_threads);
  ~Runner();

  // The promise.
  Napi::Value submit(Napi::Env env, std::unique_ptr<RunJob> job);

 private:
  void work();
  void stop();
  // How many jobs of a model are in the queue; at least one.
  struct Waiting {
    const Model* model;
    size_t jobs;
  };

  // These hold mutex_.
  bool wake_another();  // whether a thread that sleeps is to be notified, without mutex_
  bool is_long_at_work(const Model* model) const;
  bool has_next() const;  // for a thread that is free
  std::unique_ptr<RunJob> take_next();
  std::vector<Waiting>::iterator find_waiting(const Model* model);
  static void settle_all(Napi::Env env, Napi::Function, Runner* runner, void*);
  void settle(Napi::Env env, RunJob& job);

  Napi::Env env_;
  Napi::TypedThreadSafeFunction<Runner, void, &Runner::settle_all> wake_loop_;
  size_t most_threads_;
  size_t pending_ = 0;  // promises; on the JavaScript thread

  std::mutex mutex_;
  std::condition_variable queued_;
  std::deque<std::unique_ptr<RunJob>> queue_;
  std::vector<Waiting> waiting_;
  std::vector<std::unique_ptr<RunJob>> finished_;
  std::vector<const Model*> long_at_work_;  // the models of the long jobs that threads are at
  std::vector<std::thread> threads_;
  size_t asleep_ = 0;
  size_t woken_ = 0;  // signals that no thread has answered yet
  bool stopping_ = false;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_ADDON_RUNNER_H_
