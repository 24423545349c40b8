#include "cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "cpu/pause.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace espalier {
namespace {

// How long a helper looks for the next job, and a caller for the end of the last parts, before it
// sleeps.
constexpr auto kSpin = std::chrono::microseconds(40);

struct Job {
  ThreadPool::Work work;
  void* context;
  int parts;
  std::atomic<int> next{0};
  std::atomic<int> helpers{0};  // that it was given to and that are not through with it

  void take_parts() {
    for (int part; (part = next.fetch_add(1, std::memory_order_relaxed)) < parts;) {
      work(context, part);
    }
  }
};

// Where callers sleep until the helpers are through with their job. The job itself lives on the
// caller's stack, so a helper touches it no more once it is counted out.
struct Finish {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<int> waiters{0};

  void count_out(Job* job) {
    job->helpers.fetch_sub(1, std::memory_order_seq_cst);
    if (waiters.load(std::memory_order_seq_cst) == 0) return;
    { std::lock_guard<std::mutex> lock(mutex); }
    changed.notify_all();
  }
};

// What a helper is at: one of these, or the address of the job that it was given and has not
// started.
using Duty = uintptr_t;
constexpr Duty kIdle = 0;      // looking for a job
constexpr Duty kSleeping = 1;  // the same, on the condition variable
constexpr Duty kWorking = 2;
constexpr Duty kStop = 3;

// Spins until done() or kSpin is over; whether done.
template <typename F>
bool spin_until(F done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      cpu_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

struct Helper {
  alignas(64) std::atomic<Duty> duty{kIdle};
  std::mutex mutex;
  std::condition_variable changed;
  std::thread thread;

  void notify() {
    { std::lock_guard<std::mutex> lock(mutex); }
    changed.notify_all();
  }

  // Whether the job is the helper's now.
  bool give(Job* job) {
    for (Duty free : {kIdle, kSleeping}) {
      if (!duty.compare_exchange_strong(free, reinterpret_cast<Duty>(job),
                                        std::memory_order_acq_rel)) {
        continue;
      }
      if (free == kSleeping) notify();
      return true;
    }
    return false;
  }

  // Takes the job back if it was not started.
  void take_back(Job* job) {
    Duty given = reinterpret_cast<Duty>(job);
    if (duty.compare_exchange_strong(given, kIdle, std::memory_order_acq_rel)) {
      job->helpers.fetch_sub(1, std::memory_order_relaxed);
    }
  }

  void live(Finish& finish) {
    for (;;) {
      const auto has_duty = [&] { return duty.load(std::memory_order_acquire) > kSleeping; };
      if (!spin_until(has_duty)) {
        Duty idle = kIdle;
        if (duty.compare_exchange_strong(idle, kSleeping, std::memory_order_acq_rel)) {
          std::unique_lock<std::mutex> lock(mutex);
          changed.wait(lock, [&] { return duty.load(std::memory_order_acquire) != kSleeping; });
        }
      }
      Duty given = duty.load(std::memory_order_acquire);
      if (given == kStop) return;
      if (given <= kWorking) continue;  // taken back
      if (!duty.compare_exchange_strong(given, kWorking, std::memory_order_acq_rel)) continue;
      Job* job = reinterpret_cast<Job*>(given);
      job->take_parts();
      duty.store(kIdle, std::memory_order_release);
      finish.count_out(job);
    }
  }
};

int usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

struct ThreadPool::State {
  std::vector<std::unique_ptr<Helper>> helpers;
  Finish finish;
  std::once_flag started;
  int running = 0;  // of helpers; set once

  void start() {
    for (auto& helper : helpers) {
      try {
        helper->thread = std::thread([this, &helper = *helper] { helper.live(finish); });
      } catch (const std::system_error&) {
        return;
      }
      ++running;
    }
  }
};

ThreadPool::ThreadPool(int helpers) : state_(std::make_unique<State>()) {
  for (int i = 0; i < helpers; ++i) state_->helpers.push_back(std::make_unique<Helper>());
}

ThreadPool::~ThreadPool() {
  for (int i = 0; i < state_->running; ++i) {
    Helper& helper = *state_->helpers[i];
    helper.duty.store(kStop, std::memory_order_release);
    helper.notify();
    helper.thread.join();
  }
}

std::shared_ptr<ThreadPool> ThreadPool::shared() {
  static std::mutex mutex;
  static std::weak_ptr<ThreadPool> instance;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<ThreadPool> pool = instance.lock();
  if (pool == nullptr) {
    pool = std::make_shared<ThreadPool>(usable_processors() - 1);
    instance = pool;
  }
  return pool;
}

int ThreadPool::size() const { return static_cast<int>(state_->helpers.size()) + 1; }

void ThreadPool::run(int parts, int threads, Work work, void* context) {
  const int wanted = std::min({parts, threads, size()}) - 1;
  if (wanted <= 0) {
    for (int part = 0; part < parts; ++part) work(context, part);
    return;
  }
  std::call_once(state_->started, [this] { state_->start(); });
  Job job{work, context, parts};
  constexpr int kMost = 64;
  Helper* given[kMost];
  int count = 0;
  for (int i = 0; i < state_->running && count < std::min(wanted, kMost); ++i) {
    Helper* helper = state_->helpers[i].get();
    job.helpers.fetch_add(1, std::memory_order_relaxed);
    if (helper->give(&job)) {
      given[count++] = helper;
    } else {
      job.helpers.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  job.take_parts();
  for (int i = 0; i < count; ++i) given[i]->take_back(&job);
  const auto done = [&] { return job.helpers.load(std::memory_order_seq_cst) == 0; };
  if (spin_until(done)) return;
  Finish& finish = state_->finish;
  std::unique_lock<std::mutex> lock(finish.mutex);
  finish.waiters.fetch_add(1, std::memory_order_seq_cst);
  finish.changed.wait(lock, done);
  finish.waiters.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace espalier
