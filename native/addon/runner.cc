#include "addon/runner.h"

#include <cstring>
#include <system_error>

#include "addon/js.h"
#include "addon/model.h"

namespace espalier {
namespace {

// A job of so long is worth a thread of its own.
constexpr double kWorthThreadNs = 30000;

}  // namespace

Runner::Runner(napi_env env, int most_threads)
    : env_(env), most_threads_(static_cast<size_t>(most_threads)) {
  js::check(env, napi_create_threadsafe_function(env, nullptr, nullptr,
                                                 js::make_string(env, "espalier.run"), 0, 1,
                                                 nullptr, nullptr, this, settle_all, &wake_loop_));
  napi_unref_threadsafe_function(env, wake_loop_);
  // Hooks run last first: the threads are gone before Node takes wake_loop_ away.
  js::check(env, napi_add_env_cleanup_hook(
                     env, [](void* runner) { static_cast<Runner*>(runner)->stop(); }, this));
}

Runner::~Runner() { stop(); }

void Runner::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    // Their promises can no longer be settled.
    for (auto& job : queue_) job->model->end();
    queue_.clear();
  }
  queued_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

napi_value Runner::submit(napi_env env, std::unique_ptr<RunJob> job) {
  napi_value promise;
  js::check(env, napi_create_promise(env, &job->deferred, &promise));
  if (pending_++ == 0) napi_ref_threadsafe_function(env, wake_loop_);
  Model& model = *job->model;
  model.begin();
  std::lock_guard<std::mutex> lock(mutex_);
  queue_.push_back(std::move(job));
  // Threads that are awake look at the queue before they sleep.
  if (threads_.size() == asleep_) wake_another();
  return promise;
}

void Runner::wake_another() {
  if (asleep_ > woken_) {
    ++woken_;
    queued_.notify_one();
    return;
  }
  if (asleep_ > 0 || threads_.size() >= most_threads_) return;
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    if (threads_.empty()) throw;
  }
}

void Runner::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (queue_.empty() && !stopping_) {
      ++asleep_;
      queued_.wait(lock);
      --asleep_;
      if (woken_ > 0) --woken_;
    }
    if (stopping_) return;
    std::unique_ptr<RunJob> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->done = job->model->compute(job->batch, job->inputs.data(), job->outputs.data(),
                                    [&](double predicted_ns) {
                                      if (predicted_ns < kWorthThreadNs) return;
                                      std::lock_guard<std::mutex> relock(mutex_);
                                      if (!queue_.empty() && !stopping_) wake_another();
                                    });
    job->model->end();
    lock.lock();
    if (stopping_) return;
    finished_.push_back(std::move(job));
    if (finished_.size() == 1) {
      napi_call_threadsafe_function(wake_loop_, nullptr, napi_tsfn_nonblocking);
    }
  }
}

void Runner::settle_all(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // the environment goes away
  Runner& runner = *static_cast<Runner*>(context);
  std::vector<std::unique_ptr<RunJob>> finished;
  {
    std::lock_guard<std::mutex> lock(runner.mutex_);
    finished.swap(runner.finished_);
  }
  for (auto& job : finished) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return;
    runner.settle(env, *job);
    napi_close_handle_scope(env, scope);
    job.reset();
    if (--runner.pending_ == 0) napi_unref_threadsafe_function(env, runner.wake_loop_);
  }
}

void Runner::settle(napi_env env, RunJob& job) {
  const char* problem = "out of memory while computing";
  try {
    if (job.done) {
      napi_value outputs;
      js::check(env, napi_create_array_with_length(env, job.outputs.size(), &outputs));
      for (size_t i = 0; i < job.outputs.size(); ++i) {
        void* data;
        napi_value array = js::make_array(env, napi_float32_array, job.output_lengths[i], &data);
        std::memcpy(data, job.outputs[i], job.output_lengths[i] * sizeof(float));
        js::check(env, napi_set_element(env, outputs, static_cast<uint32_t>(i), array));
      }
      js::check(env, napi_resolve_deferred(env, job.deferred, outputs));
      return;
    }
  } catch (const js::Pending&) {
    // An allocation failed and V8 threw; the promise tells it.
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      napi_reject_deferred(env, job.deferred, error);
    }
    return;
  } catch (const Refused&) {
    problem = "the outputs cannot be made";
  }
  if (napi_value error = js::make_error(env, "INTERNAL", problem)) {
    napi_reject_deferred(env, job.deferred, error);
  }
}

}  // namespace espalier
