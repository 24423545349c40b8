// Threads that help a caller with the parts of one job.
//
// The caller always works too, and takes parts until none is left; helpers join it as they wake.
// One that has not started by then is let go, so a call never waits for a thread that the system
// does not run: where cores are busy the caller simply does more of the parts itself. Helpers spin
// for some microseconds after a job, as the next layer follows at once, then sleep.
//
// Several callers may share a pool: each job takes the helpers that are free.
#ifndef ESPALIER_NATIVE_CPU_THREAD_POOL_H_
#define ESPALIER_NATIVE_CPU_THREAD_POOL_H_

#include <memory>

namespace espalier {

class ThreadPool {
 public:
  // `helpers` threads beside the caller; none of them runs before the first job. Fewer where the
  // system gives no more.
  explicit ThreadPool(int helpers);
  ~ThreadPool();  // waits for them; no job may be running
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // One pool for the process, with a helper for each processor that it may use but one. It lives as
  // long as somebody holds it.
  static std::shared_ptr<ThreadPool> shared();

  // The most threads that a job can have, the caller's included.
  int size() const;

  // Calls work(context, part) once for each part in [0, parts), on at most `threads` threads, and
  // returns when all are done. `work` must not throw, nor wait for another part.
  using Work = void (*)(void* context, int part);
  void run(int parts, int threads, Work work, void* context);

  template <typename F>
  void run(int parts, int threads, F&& f) {
    run(
        parts, threads, [](void* context, int part) { (*static_cast<F*>(context))(part); }, &f);
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_CPU_THREAD_POOL_H_
