// A readers-writer lock whose uncontended read side is two atomic additions.
//
// Calls of a model enter it shared; whoever packs for a new batch size, or disposes, enters it
// alone. Nobody holds it long alone, and waiting sleeps after a moment, so that a busy core is not
// kept from the one waited for.
#ifndef ESPALIER_NATIVE_CPU_GATE_H_
#define ESPALIER_NATIVE_CPU_GATE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "cpu/pause.h"

namespace espalier {

class Gate {
 public:
  void lock_shared() {
    for (int turn = 0;; ++turn) {
      if ((state_.fetch_add(1, std::memory_order_acquire) & kAlone) == 0) return;
      state_.fetch_sub(1, std::memory_order_relaxed);
      wait(turn);
    }
  }
  void unlock_shared() { state_.fetch_sub(1, std::memory_order_release); }

  void lock() {
    for (int turn = 0;; ++turn) {
      if ((state_.fetch_or(kAlone, std::memory_order_acquire) & kAlone) == 0) break;
      wait(turn);
    }
    for (int turn = 0; state_.load(std::memory_order_acquire) != kAlone; ++turn) wait(turn);
  }
  void unlock() { state_.fetch_and(~kAlone, std::memory_order_release); }

 private:
  static constexpr uint32_t kAlone = 1u << 31;

  static void wait(int turn) {
    if (turn < 200) {
      cpu_pause();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(turn < 1000 ? 20 : 200));
    }
  }

  std::atomic<uint32_t> state_{0};
};

}  // namespace espalier

#endif  // ESPALIER_NATIVE_CPU_GATE_H_
