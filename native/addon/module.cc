// The functions of the addon: Addon in src/engine/addon.ts.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "addon/environment.h"
#include "addon/glue.h"
#include "addon/js.h"
#include "addon/model.h"
#include "addon/read_program.h"
#include "cpu/features.h"
#include "kernels/linear/linear.h"
#include "sparse/csr.h"

namespace espalier {
namespace {

constexpr const char* kArgument = "INVALID_ARGUMENT";
constexpr Isa kBestFirst[] = {Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kPortable};

std::string names(bool available_only) {
  std::string text;
  for (Isa isa : kBestFirst) {
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

napi_value cpu(napi_env env, napi_callback_info) {
  napi_value object, available, caches;
  js::check(env, napi_create_object(env, &object));
  js::set(env, object, "isa", js::make_string(env, isa_name(isa_in_use())));
  js::check(env, napi_create_array(env, &available));
  uint32_t count = 0;
  for (Isa isa : kBestFirst) {
    if (!isa_available(isa)) continue;
    js::check(env, napi_set_element(env, available, count++, js::make_string(env, isa_name(isa))));
  }
  js::set(env, object, "available", available);
  js::check(env, napi_create_object(env, &caches));
  const CacheSizes& sizes = cache_sizes();
  js::set(env, caches, "l1d", js::make_number(env, static_cast<double>(sizes.l1d)));
  js::set(env, caches, "l2", js::make_number(env, static_cast<double>(sizes.l2)));
  js::set(env, caches, "l3", js::make_number(env, static_cast<double>(sizes.l3)));
  js::set(env, object, "caches", caches);
  return object;
}

napi_value csr_from_dense_js(napi_env env, napi_callback_info info) {
  const js::Arguments<3> arguments(env, info);
  const uint64_t rows = js::integer(env, arguments[1], kArgument, "rows", 0, INT32_MAX - 1);
  const uint64_t cols = js::integer(env, arguments[2], kArgument, "cols", 0, INT32_MAX);
  const auto weights =
      js::float_array(env, arguments[0], kArgument, "weights", js::Sharing::kRefused);
  if (weights.length != rows * cols) {
    js::refuse(kArgument,
               "weights: expected a Float32Array of rows * cols = " + std::to_string(rows * cols) +
                   " values, received " + js::describe(env, arguments[0]));
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
  void *row_ptr, *col_idx, *values;
  napi_value object;
  js::check(env, napi_create_object(env, &object));
  js::set(env, object, "rowPtr", js::make_array(env, napi_int32_array, rows + 1, &row_ptr));
  js::set(env, object, "colIdx", js::make_array(env, napi_int32_array, nnz, &col_idx));
  js::set(env, object, "values", js::make_array(env, napi_float32_array, nnz, &values));
  fill_csr_from_dense(weights.data, static_cast<uint32_t>(rows), static_cast<uint32_t>(cols),
                      static_cast<int32_t*>(row_ptr), static_cast<int32_t*>(col_idx),
                      static_cast<float*>(values));
  return object;
}

napi_value kth_largest_magnitude(napi_env env, napi_callback_info info) {
  const js::Arguments<2> arguments(env, info);
  const uint64_t k = js::integer(env, arguments[1], kArgument, "k", 1, INT64_C(1) << 53);
  const auto weights =
      js::float_array(env, arguments[0], kArgument, "weights", js::Sharing::kRefused);
  if (k > weights.length) {
    js::refuse(kArgument, "k: expected an integer from 1 to the " + std::to_string(weights.length) +
                              " weights, received " + std::to_string(k));
  }
  std::vector<float> magnitudes(weights.length);
  for (size_t i = 0; i < weights.length; ++i) {
    if (std::isnan(weights.data[i])) {
      js::refuse("INVALID_INPUT", "weights: expected no NaN, received one at " + std::to_string(i));
    }
    magnitudes[i] = std::fabs(weights.data[i]);
  }
  const auto kth = magnitudes.begin() + static_cast<ptrdiff_t>(k - 1);
  std::nth_element(magnitudes.begin(), kth, magnitudes.end(), std::greater<float>());
  return js::make_number(env, *kth);
}

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
  options.program.isa =
      js::is_undefined(env, isa)
          ? isa_in_use()
          : isa_by_name(js::string(env, isa, kArgument, "options.isa"), "options.isa");
  const napi_value layout = get("layout");
  if (!js::is_undefined(env, layout)) {
    options.program.layout = js::string(env, layout, kArgument, "options.layout");
    const std::vector<std::string> known = linear_layouts(options.program.isa);
    if (std::find(known.begin(), known.end(), options.program.layout) == known.end()) {
      std::string list;
      for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
      js::refuse(kArgument, "options.layout: expected one of " + list + ", received \"" +
                                options.program.layout.substr(0, 60) + '"');
    }
  }
  return options;
}

napi_value load(napi_env env, napi_callback_info info) {
  const js::Arguments<3> arguments(env, info);
  LoadOptions options = read_options(env, arguments[1]);
  bool consumes = false;
  js::check(env, napi_is_arraybuffer(env, arguments[2], &consumes));
  if (!consumes && !js::is_undefined(env, arguments[2])) {
    js::refuse_value(env, kArgument, "consumed", "an ArrayBuffer", arguments[2]);
  }
  const std::shared_ptr<Environment> environment = environment_of(env);
  options.program.pool = environment->pool;
  Refused refused;
  std::unique_ptr<Program> program;
  {
    const ProgramSpec spec = read_program(env, arguments[0]);
    program = Program::make(spec, options.program, &refused);
  }
  if (program == nullptr) throw refused;
  // Its memory goes before packing asks for more. One that cannot be detached stays.
  if (consumes) napi_detach_arraybuffer(env, arguments[2]);
  for (size_t batch : options.batch_sizes) {
    if (!program->prepare(batch)) throw std::bad_alloc();
  }
  return make_model_object(env, std::make_shared<Model>(environment, std::move(program)));
}

napi_value initialise(napi_env env, napi_value exports) {
  auto environment =
      std::make_unique<std::shared_ptr<Environment>>(std::make_shared<Environment>());
  js::check(env, napi_set_instance_data(
                     env, environment.get(),
                     [](napi_env, void* data, void*) {
                       delete static_cast<std::shared_ptr<Environment>*>(data);
                     },
                     nullptr));
  napi_value script, glue;
  js::check(env, napi_create_string_utf8(env, kGlue, NAPI_AUTO_LENGTH, &script));
  js::check(env, napi_run_script(env, script, &glue));
  js::check(env, napi_create_reference(env, glue, 1, &(*environment)->glue));
  environment.release();
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {{"cpu", js::guarded<cpu>},
                   {"csrFromDense", js::guarded<csr_from_dense_js>},
                   {"kthLargestMagnitude", js::guarded<kth_largest_magnitude>},
                   {"load", js::guarded<load>}};
  for (const auto& entry : functions) {
    napi_value function;
    js::check(env, napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, nullptr,
                                        &function));
    js::set(env, exports, entry.name, function);
  }
  return exports;
}

}  // namespace

std::shared_ptr<Environment>& environment_of(napi_env env) {
  void* data = nullptr;
  js::check(env, napi_get_instance_data(env, &data));
  return *static_cast<std::shared_ptr<Environment>*>(data);
}

}  // namespace espalier

NAPI_MODULE_INIT() {
  try {
    return espalier::initialise(env, exports);
  } catch (const espalier::Refused& refused) {
    espalier::js::throw_error(env, refused.code.c_str(), refused.message);
  } catch (const espalier::js::Pending&) {
  } catch (const std::bad_alloc&) {
    espalier::js::throw_error(env, "INTERNAL", "out of memory");
  }
  return nullptr;
}
