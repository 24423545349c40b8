// What one JavaScript environment (the main thread's, or a worker's) owns.
#ifndef ESPALIER_NATIVE_ADDON_ENVIRONMENT_H_
#define ESPALIER_NATIVE_ADDON_ENVIRONMENT_H_

#include <napi.h>

#include <memory>

#include "addon/runner.h"
#include "cpu/thread_pool.h"

namespace espalier {

struct Environment {
  std::shared_ptr<ThreadPool> pool = ThreadPool::shared();
  std::unique_ptr<Runner> runner;  // made by the first run()
  Napi::ObjectReference glue;      // what glue.h evaluates to

  Runner& runner_of(Napi::Env env) {
    if (runner == nullptr) runner = std::make_unique<Runner>(env, pool->size());
    return *runner;
  }
};

// Of this environment; set when the addon is loaded.
inline std::shared_ptr<Environment>& environment_of(Napi::Env env) {
  return *env.GetInstanceData<std::shared_ptr<Environment>>();
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_ADDON_ENVIRONMENT_H_
