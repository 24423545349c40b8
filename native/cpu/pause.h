// The hint that a loop waits for another core.
#ifndef ESPALIER_NATIVE_CPU_PAUSE_H_
#define ESPALIER_NATIVE_CPU_PAUSE_H_

namespace espalier {

inline void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_CPU_PAUSE_H_
