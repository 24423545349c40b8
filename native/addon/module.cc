// The functions of the addon: Addon in src/engine/addon.ts.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "addon/environment.h"
#include "addon/glue.h"
#include "addon/js.h"
#include "addon/model.h"
#include "addon/read_program.h"
#include "cpu/features.h"
#include "kernels/linear/linear.h"
#include "kernels/peaks/peaks.h"
#include "sparse/csr.h"
#include "sparse/select.h"

namespace espalier {
namespace {

constexpr const char* kArgument = "INVALID_ARGUMENT";

std::vector<Isa> best_first() { return {std::rbegin(kIsas), std::rend(kIsas)}; }

std::string names(bool available_only) {
  std::string text;
  for (Isa isa : best_first()) {
    if (available_only && !isa_available(isa)) continue;
    text += (text.empty() ? "" : ", ") + std::string(isa_name(isa));
  }
  return text;
}

Isa isa_by_name(const std::string& name, const std::string& parameter) {
  const std::optional<Isa> isa = isa_from_name(name);
  if (isa.has_value() && isa_available(*isa)) return *isa;
  js::refuse(kArgument, parameter + ": expected one of the instruction sets of this machine (" +
                            names(true) + "), received \"" + name.substr(0, 60) + "\"" +
                            (isa.has_value() ? ", which this machine or build lacks"
                                             : "; known are " + names(false)));
}

Isa isa_in_use() {
  const char* forced = std::getenv("ESPALIER_ISA");
  if (forced == nullptr || *forced == '\0') return best_isa();
  return isa_by_name(forced, "ESPALIER_ISA");
}

Napi::Value cpu(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto number = [&](size_t value) {
    return Napi::Number::New(env, static_cast<double>(value));
  };
  const Napi::Object object = Napi::Object::New(env);
  object.Set("isa", isa_name(isa_in_use()));
  const Napi::Array available = Napi::Array::New(env);
  for (Isa isa : best_first()) {
    if (isa_available(isa)) available.Set(available.Length(), isa_name(isa));
  }
  object.Set("available", available);
  const Napi::Object caches = Napi::Object::New(env);
  const CacheSizes& sizes = cache_sizes();
  caches.Set("l1d", number(sizes.l1d));
  caches.Set("l2", number(sizes.l2));
  caches.Set("l3", number(sizes.l3));
  object.Set("caches", caches);
  return object;
}

Napi::Value peaks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int threads = static_cast<int>(js::integer(env, info[0], kArgument, "threads", 1, 1024));
  const Peaks found = measure_peaks(isa_in_use(), threads, *environment_of(env)->pool);
  const Napi::Object object = Napi::Object::New(env);
  object.Set("fmaGflops", found.fma_gflops);
  object.Set("cacheGBs", found.cache_gbs);
  object.Set("memoryGBs", found.memory_gbs);
  return object;
}

Napi::Value csr_from_dense_js(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint64_t rows = js::integer(env, info[1], kArgument, "rows", 0, INT32_MAX - 1);
  const uint64_t cols = js::integer(env, info[2], kArgument, "cols", 0, INT32_MAX);
  const auto weights = js::float_array(env, info[0], kArgument, "weights", js::Sharing::kRefused);
  if (weights.length != rows * cols) {
    js::refuse(kArgument,
               "weights: expected a Float32Array of rows * cols = " + std::to_string(rows * cols) +
                   " values, received " + js::describe(env, info[0]));
  }
  size_t nnz = 0;
  for (size_t i = 0; i < weights.length; ++i) {
    if (!std::isfinite(weights.data[i])) {
      js::refuse("INVALID_INPUT", "weights: expected finite values, received " +
                                      std::to_string(weights.data[i]) + " at row " +
                                      std::to_string(i / cols) + ", column " +
                                      std::to_string(i % cols));
    }
    nnz += weights.data[i] != 0.0f;
  }
  if (nnz > INT32_MAX) {
    js::refuse("LIMIT_EXCEEDED", "weights: more than 2147483647 values are not zero");
  }
  // Straight into the arrays of the answer.
  Napi::Int32Array row_ptr = Napi::Int32Array::New(env, rows + 1);
  Napi::Int32Array col_idx = Napi::Int32Array::New(env, nnz);
  Napi::Float32Array values = Napi::Float32Array::New(env, nnz);
  fill_csr_from_dense(weights.data, static_cast<uint32_t>(rows), static_cast<uint32_t>(cols),
                      row_ptr.Data(), col_idx.Data(), values.Data());
  const Napi::Object object = Napi::Object::New(env);
  object.Set("rowPtr", row_ptr);
  object.Set("colIdx", col_idx);
  object.Set("values", values);
  return object;
}

Napi::Value kth_largest_magnitude(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint64_t k = js::integer(env, info[1], kArgument, "k", 1, INT64_C(1) << 53);
  const auto weights = js::float_array(env, info[0], kArgument, "weights", js::Sharing::kRefused);
  if (k > weights.length) {
    js::refuse(kArgument, "k: expected an integer from 1 to the " + std::to_string(weights.length) +
                              " weights, received " + std::to_string(k));
  }
  const float kth = espalier::kth_largest_magnitude(weights.data, weights.length, k);
  if (std::isnan(kth)) {
    const auto* nan = std::find_if(weights.data, weights.data + weights.length,
                                   [](float weight) { return std::isnan(weight); });
    js::refuse("INVALID_INPUT",
               "weights: expected no NaN, received one at " + std::to_string(nan - weights.data));
  }
  return Napi::Number::New(env, kth);
}

Napi::Value contract_js(const Napi::CallbackInfo& info) { return contract(info.Env()); }

struct LoadOptions {
  ProgramOptions program;
  std::vector<size_t> batch_sizes;
};

LoadOptions read_options(napi_env env, napi_value value) {
  LoadOptions options;
  const auto get = [&](const char* name) {
    return js::property(env, value, name, kArgument, "options");
  };
  constexpr uint64_t kMostThreads = 1024, kMostBatch = uint64_t{1} << 31;
  options.program.threads = static_cast<int>(
      js::integer(env, get("threads"), kArgument, "options.threads", 1, kMostThreads));
  for (napi_value batch :
       js::elements(env, get("batchSizes"), kArgument, "options.batchSizes", 1024)) {
    options.batch_sizes.push_back(
        js::integer(env, batch, kArgument, "options.batchSizes[]", 1, kMostBatch));
  }
  const napi_value isa = get("isa");
  options.program.matrices.isa =
      js::is_undefined(env, isa)
          ? isa_in_use()
          : isa_by_name(js::string(env, isa, kArgument, "options.isa"), "options.isa");
  const napi_value layout = get("layout");
  if (!js::is_undefined(env, layout)) {
    LinearOptions& matrices = options.program.matrices;
    matrices.layout = js::string(env, layout, kArgument, "options.layout");
    const std::vector<std::string> known = linear_layouts(matrices.isa);
    if (std::find(known.begin(), known.end(), matrices.layout) == known.end()) {
      std::string list;
      for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
      js::refuse(kArgument, "options.layout: expected one of " + list + ", received \"" +
                                matrices.layout.substr(0, 60) + '"');
    }
  }
  const napi_value values = get("values");
  if (!js::is_undefined(env, values)) {
    const std::string name = js::string(env, values, kArgument, "options.values");
    const auto* known = std::find(std::begin(kValueFormatNames), std::end(kValueFormatNames), name);
    if (known == std::end(kValueFormatNames)) {
      std::string list;
      for (const char* format : kValueFormatNames) {
        list += (list.empty() ? "" : ", ") + std::string(format);
      }
      js::refuse(kArgument, "options.values: expected one of " + list + ", received \"" +
                                name.substr(0, 60) + '"');
    }
    options.program.matrices.values = static_cast<ValueFormat>(known - kValueFormatNames);
  }
  const auto flag = [&](const char* name, bool* wanted) {
    const napi_value given = get(name);
    if (js::is_undefined(env, given)) return;
    *wanted = js::boolean(env, given, kArgument, std::string("options.") + name);
  };
  flag("tune", &options.program.matrices.tune);
  flag("cold", &options.program.matrices.cold);
  flag("reproducible", &options.program.reproducible);
  return options;
}

Napi::Value load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  LoadOptions options = read_options(env, info[1]);
  const bool consumes = info[2].IsArrayBuffer();
  if (!consumes && !info[2].IsUndefined()) {
    js::refuse_value(env, kArgument, "consumed", "an ArrayBuffer", info[2]);
  }
  const std::shared_ptr<Environment> environment = environment_of(env);
  options.program.pool = environment->pool;
  Refused refused;
  std::unique_ptr<Program> program;
  {
    const ProgramSpec spec = read_program(env, info[0]);
    program = Program::make(spec, options.program, &refused);
  }
  if (program == nullptr) throw refused;
  // Its memory goes before packing asks for more. One that cannot be detached stays.
  if (consumes) napi_detach_arraybuffer(env, info[2]);
  for (size_t batch : options.batch_sizes) {
    if (!program->prepare(batch)) throw std::bad_alloc();
  }
  return make_model_object(env, std::make_shared<Model>(environment, std::move(program)));
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto environment =
      std::make_unique<std::shared_ptr<Environment>>(std::make_shared<Environment>());
  Napi::ObjectReference& glue = (*environment)->glue;
  glue = Napi::Persistent(env.RunScript(kGlue).As<Napi::Object>());
  // It lives as long as JavaScript does, and models may let go of their Environment after that.
  glue.SuppressDestruct();
  env.SetInstanceData(environment.release());
  exports.Set("cpu", Napi::Function::New<js::guarded<cpu>>(env, "cpu"));
  exports.Set("peaks", Napi::Function::New<js::guarded<peaks>>(env, "peaks"));
  exports.Set("csrFromDense",
              Napi::Function::New<js::guarded<csr_from_dense_js>>(env, "csrFromDense"));
  exports.Set("kthLargestMagnitude",
              Napi::Function::New<js::guarded<kth_largest_magnitude>>(env, "kthLargestMagnitude"));
  exports.Set("contract", Napi::Function::New<js::guarded<contract_js>>(env, "contract"));
  exports.Set("load", Napi::Function::New<js::guarded<load>>(env, "load"));
  return exports;
}

}  // namespace
}  // namespace espalier

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) {
  espalier::js::guard(env, [&] { espalier::initialise(env, exports); });
  return exports;
}
NODE_API_MODULE(espalier, init_addon)
