#include "addon/runner.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "addon/js.h"
#include "addon/model.h"

namespace espalier {
namespace {

// A job of so long is worth a thread of its own.
constexpr double kWorthThreadNs = 30000;

}  // namespace

Runner::Runner(Napi::Env env, int most_threads)
    : env_(env), most_threads_(static_cast<size_t>(most_threads)) {
  wake_loop_ = decltype(wake_loop_)::New(env, "espalier.run", 0, 1, this);
  wake_loop_.Unref(env);
  // Hooks run last first: the threads are gone before Node takes wake_loop_ away.
  env.AddCleanupHook([](Runner* runner) { runner->stop(); }, this);
}

Runner::~Runner() { stop(); }

void Runner::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    // Their promises can no longer be settled.
    for (auto& job : queue_) job->model->end();
    queue_.clear();
    waiting_.clear();
  }
  queued_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

Napi::Value Runner::submit(Napi::Env env, std::unique_ptr<RunJob> job) {
  const Napi::Promise promise = job->deferred.emplace(env).Promise();
  if (pending_++ == 0) wake_loop_.Ref(env);
  Model& model = *job->model;
  model.begin();
  std::unique_lock<std::mutex> lock(mutex_);
  waiting_.reserve(waiting_.size() + 1);
  queue_.push_back(std::move(job));
  // From here on nothing throws before both know of the job.
  const auto waiting = find_waiting(&model);
  if (waiting == waiting_.end()) {
    waiting_.push_back({&model, 1});
  } else {
    ++waiting->jobs;
  }
  // Threads that are awake look at the queue before they sleep; those at a long job not soon.
  const bool wakes = threads_.size() - asleep_ <= long_at_work_.size() && wake_another();
  lock.unlock();
  if (wakes) {
    queued_.notify_one();
    // On a core of its own the thread has just begun. On the core of this one it takes its place
    // at once, so that a short job is done by now, and need not wait for a turn of the event loop.
    lock.lock();
    const bool is_finished = !finished_.empty();
    lock.unlock();
    if (is_finished) settle_all(env, {}, this, nullptr);
  }
  return promise;
}

bool Runner::wake_another() {
  if (asleep_ > woken_) {
    ++woken_;
    return true;
  }
  if (asleep_ > 0 || !has_next()) return false;
  // Each thread beyond the processors' number is for another model.
  if (threads_.size() >= most_threads_ + long_at_work_.size()) return false;
  try {
    long_at_work_.reserve(threads_.size() + 1);
    threads_.emplace_back([this] { work(); });
  } catch (const std::exception&) {
    if (threads_.empty()) throw;
  }
  return false;
}

bool Runner::is_long_at_work(const Model* model) const {
  return std::find(long_at_work_.begin(), long_at_work_.end(), model) != long_at_work_.end();
}

bool Runner::has_next() const {
  if (long_at_work_.size() < most_threads_) return !queue_.empty();
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [this](const Waiting& waiting) { return !is_long_at_work(waiting.model); });
}

std::unique_ptr<RunJob> Runner::take_next() {
  auto next = queue_.begin();
  if (long_at_work_.size() >= most_threads_) {
    while (is_long_at_work((*next)->model.get())) ++next;
  }
  std::unique_ptr<RunJob> job = std::move(*next);
  queue_.erase(next);
  const auto waiting = find_waiting(job->model.get());
  if (--waiting->jobs == 0) waiting_.erase(waiting);
  return job;
}

std::vector<Runner::Waiting>::iterator Runner::find_waiting(const Model* model) {
  return std::find_if(waiting_.begin(), waiting_.end(),
                      [model](const Waiting& waiting) { return waiting.model == model; });
}

void Runner::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (!has_next() && !stopping_) {
      ++asleep_;
      queued_.wait(lock);
      --asleep_;
      if (woken_ > 0) --woken_;
    }
    if (stopping_) return;
    std::unique_ptr<RunJob> job = take_next();
    lock.unlock();
    bool is_long = false;
    job->done = job->model->compute(job->batch, job->inputs.data(), job->outputs.data(),
                                    &job->problem, [&](double predicted_ns) {
                                      if (predicted_ns < kWorthThreadNs) return;
                                      std::unique_lock<std::mutex> relock(mutex_);
                                      is_long = true;
                                      long_at_work_.push_back(job->model.get());
                                      const bool wakes =
                                          !queue_.empty() && !stopping_ && wake_another();
                                      relock.unlock();
                                      if (wakes) queued_.notify_one();
                                    });
    const Model* model = job->model.get();
    job->model->end();
    lock.lock();
    if (is_long) {
      long_at_work_.erase(std::find(long_at_work_.begin(), long_at_work_.end(), model));
    }
    if (stopping_) return;
    finished_.push_back(std::move(job));
    if (finished_.size() == 1) wake_loop_.NonBlockingCall();
  }
}

void Runner::settle_all(Napi::Env env, Napi::Function, Runner* runner, void*) {
  if (env == nullptr) return;  // the environment goes away
  std::vector<std::unique_ptr<RunJob>> finished;
  {
    std::lock_guard<std::mutex> lock(runner->mutex_);
    finished.swap(runner->finished_);
  }
  for (auto& job : finished) {
    js::guard(env, [&] {
      const Napi::HandleScope scope(env);
      runner->settle(env, *job);
    });
    job.reset();
    if (--runner->pending_ == 0) runner->wake_loop_.Unref(env);
  }
}

void Runner::settle(Napi::Env env, RunJob& job) {
  if (!job.done) {
    const bool wrong = !job.problem.empty();
    job.deferred->Reject(js::make_error(env, wrong ? "INVALID_INPUT" : "INTERNAL",
                                        wrong ? job.problem : "out of memory while computing"));
    return;
  }
  try {
    const Napi::Array outputs = Napi::Array::New(env, job.outputs.size());
    for (size_t i = 0; i < job.outputs.size(); ++i) {
      Napi::Float32Array array = Napi::Float32Array::New(env, job.output_lengths[i]);
      if (array.ElementLength() > 0) {
        std::memcpy(array.Data(), job.outputs[i], job.output_lengths[i] * sizeof(float));
      }
      outputs.Set(static_cast<uint32_t>(i), array);
    }
    job.deferred->Resolve(outputs);
  } catch (const Napi::Error& error) {
    // An allocation failed and V8 threw; the promise tells it.
    job.deferred->Reject(error.Value());
  }
}

}  // namespace espalier
