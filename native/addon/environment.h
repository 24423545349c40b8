// What one JavaScript environment (the main thread's, or a worker's) owns.
#ifndef ESPALIER_NATIVE_ADDON_ENVIRONMENT_H_
#define ESPALIER_NATIVE_ADDON_ENVIRONMENT_H_

#include <node_api.h>

#include <memory>

#include "addon/runner.h"
#include "cpu/thread_pool.h"

namespace espalier {

struct Environment {
  std::shared_ptr<ThreadPool> pool = ThreadPool::shared();
  std::unique_ptr<Runner> runner;  // made by the first run()
  napi_ref glue = nullptr;         // what glue.h evaluates to

  Runner& runner_of(napi_env env) {
    if (runner == nullptr) runner = std::make_unique<Runner>(env, pool->size());
    return *runner;
  }
};

// Of this environment; set when the addon is loaded.
std::shared_ptr<Environment>& environment_of(napi_env env);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_ADDON_ENVIRONMENT_H_
