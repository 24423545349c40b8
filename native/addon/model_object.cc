// The methods of NativeModel. Each function carries the model itself, so it does not matter on
// which object it is called.
#include <algorithm>
#include <cstring>

#include "addon/environment.h"
#include "addon/js.h"
#include "addon/model.h"

namespace espalier {
namespace {

constexpr const char* kInput = "INVALID_INPUT";
constexpr size_t kMostBatch = size_t{1} << 31;
constexpr size_t kFewPorts = 16;

struct Method {
  std::shared_ptr<Model> model;
};

std::shared_ptr<Model>& model_of(void* data) { return static_cast<Method*>(data)->model; }

// The arrays of one call, on the stack for as many as networks usually have.
struct Ports {
  napi_value few[kFewPorts];
  std::vector<napi_value> many;
  napi_value* values = few;
};

// Reads `count` elements; JavaScript may run.
void read_ports(napi_env env, napi_value array, size_t count, const char* parameter, Ports& ports) {
  bool is = false;
  uint32_t length = 0;
  if (napi_is_array(env, array, &is) != napi_ok || !is ||
      napi_get_array_length(env, array, &length) != napi_ok || length != count) {
    js::refuse_value(env, kInput, parameter,
                     "an array of " + std::to_string(count) + " Float32Arrays", array);
  }
  if (count > kFewPorts) {
    ports.many.resize(count);
    ports.values = ports.many.data();
  }
  for (uint32_t i = 0; i < length; ++i) {
    js::check(env, napi_get_element(env, array, i, &ports.values[i]));
  }
}

// Its memory, after a look at its type and length; no JavaScript runs.
float* port_memory(napi_env env, napi_value value, size_t wanted, const char* parameter,
                   size_t index) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok &&
      type == napi_float32_array && length == wanted && data != nullptr) {
    return static_cast<float*>(data);
  }
  js::refuse_value(env, kInput, std::string(parameter) + "[" + std::to_string(index) + "]",
                   "a Float32Array of length " + std::to_string(wanted), value);
}

struct Pointers {
  const float* few_inputs[kFewPorts];
  float* few_outputs[kFewPorts];
  std::vector<const float*> many_inputs;
  std::vector<float*> many_outputs;
  const float** inputs = few_inputs;
  float** outputs = few_outputs;

  Pointers(size_t input_count, size_t output_count) {
    if (input_count > kFewPorts) {
      many_inputs.resize(input_count);
      inputs = many_inputs.data();
    }
    if (output_count > kFewPorts) {
      many_outputs.resize(output_count);
      outputs = many_outputs.data();
    }
  }
};

void check_outputs_apart(const Program& program, size_t batch, float* const* outputs) {
  for (size_t i = 0; i < program.output_count(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (outputs[i] < outputs[j] + batch * program.output_features(j) &&
          outputs[j] < outputs[i] + batch * program.output_features(i)) {
        js::refuse(kInput, "outputs[" + std::to_string(j) + "] and outputs[" + std::to_string(i) +
                               "] overlap in memory");
      }
    }
  }
}

size_t read_batch(napi_env env, napi_value value) {
  return js::integer(env, value, kInput, "batch", 1, kMostBatch);
}

void compute(Model& model, size_t batch, const float* const* inputs, float* const* outputs) {
  if (!model.compute_now(batch, inputs, outputs)) throw std::bad_alloc();
}

napi_value run_sync(napi_env env, napi_callback_info info) {
  const js::Arguments<3> arguments(env, info);
  Model& model = *model_of(arguments.data);
  size_t input_count = model.program().input_count();
  size_t output_count = model.program().output_count();
  const size_t batch = read_batch(env, arguments[0]);
  Ports inputs, outputs;
  read_ports(env, arguments[1], input_count, "inputs", inputs);
  read_ports(env, arguments[2], output_count, "outputs", outputs);
  // No JavaScript runs from here; what ran may have disposed the model.
  Program& program = model.program();
  Pointers pointers(input_count, output_count);
  for (size_t i = 0; i < input_count; ++i) {
    pointers.inputs[i] =
        port_memory(env, inputs.values[i], batch * program.input_features(i), "inputs", i);
  }
  for (size_t i = 0; i < output_count; ++i) {
    pointers.outputs[i] =
        port_memory(env, outputs.values[i], batch * program.output_features(i), "outputs", i);
  }
  if (output_count > 1) check_outputs_apart(program, batch, pointers.outputs);
  compute(model, batch, pointers.inputs, pointers.outputs);
  return nullptr;
}

// The same for one input and one output, given without arrays around them: see glue.h.
napi_value run_sync_one(napi_env env, napi_callback_info info) {
  const js::Arguments<3> arguments(env, info);
  Model& model = *model_of(arguments.data);
  Program& program = model.program();
  if (program.input_count() != 1 || program.output_count() != 1) {
    js::refuse(kInput, "expected " + std::to_string(program.input_count()) + " inputs and " +
                           std::to_string(program.output_count()) + " outputs, received 1 and 1");
  }
  const size_t batch = read_batch(env, arguments[0]);
  const float* input =
      port_memory(env, arguments[1], batch * program.input_features(0), "inputs", 0);
  float* output = port_memory(env, arguments[2], batch * program.output_features(0), "outputs", 0);
  compute(model, batch, &input, &output);
  return nullptr;
}

napi_value run(napi_env env, napi_callback_info info) {
  const js::Arguments<2> arguments(env, info);
  const std::shared_ptr<Model>& model = model_of(arguments.data);
  const size_t input_count = model->program().input_count();
  const size_t batch = read_batch(env, arguments[0]);
  Ports inputs;
  read_ports(env, arguments[1], input_count, "inputs", inputs);
  Program& program = model->program();
  auto job = std::make_unique<RunJob>();
  job->model = model;
  job->batch = batch;
  std::vector<const float*> sources;
  for (size_t i = 0; i < input_count; ++i) {
    sources.push_back(
        port_memory(env, inputs.values[i], batch * program.input_features(i), "inputs", i));
  }
  // Each on a cache line of its own.
  const auto room = [](size_t floats) { return (floats + 15) / 16 * 16; };
  size_t floats = 0;
  for (size_t i = 0; i < input_count; ++i) floats += room(batch * program.input_features(i));
  for (size_t i = 0; i < program.output_count(); ++i) {
    job->output_lengths.push_back(batch * program.output_features(i));
    floats += room(job->output_lengths.back());
  }
  job->memory.resize(floats);
  float* next = job->memory.data();
  for (size_t i = 0; i < input_count; ++i) {
    const size_t length = batch * program.input_features(i);
    std::memcpy(next, sources[i], length * sizeof(float));
    job->inputs.push_back(next);
    next += room(length);
  }
  for (size_t length : job->output_lengths) {
    job->outputs.push_back(next);
    next += room(length);
  }
  return model->environment().runner_of(env).submit(env, std::move(job));
}

// What a function made by bind() computes. The arrays are held.
struct Binding {
  std::shared_ptr<Model> model;
  size_t batch;
  size_t input_count;
  std::vector<napi_ref> arrays;  // inputs, then outputs
  std::vector<size_t> lengths;
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
};

// Asks the arrays for their memory first: a detached or shrunk buffer is an error, never a stray
// pointer.
napi_value call_checked(napi_env env, napi_callback_info info) {
  const js::Arguments<0> arguments(env, info);
  Binding& binding = *static_cast<Binding*>(arguments.data);
  Model& model = *binding.model;
  model.program();  // refuses if disposed
  for (size_t i = 0; i < binding.arrays.size(); ++i) {
    napi_value array;
    js::check(env, napi_get_reference_value(env, binding.arrays[i], &array));
    const bool is_input = i < binding.input_count;
    const size_t index = is_input ? i : i - binding.input_count;
    float* memory =
        port_memory(env, array, binding.lengths[i], is_input ? "inputs" : "outputs", index);
    if (is_input) {
      binding.inputs[index] = memory;
    } else {
      binding.outputs[index] = memory;
    }
  }
  compute(model, binding.batch, binding.inputs.data(), binding.outputs.data());
  return nullptr;
}

// The wrapper of glue.h has looked already.
napi_value call_unchecked(napi_env env, napi_callback_info info) {
  size_t none = 0;
  void* data = nullptr;
  napi_get_cb_info(env, info, &none, nullptr, nullptr, &data);
  Binding& binding = *static_cast<Binding*>(data);
  Model& model = *binding.model;
  if (model.disposed()) model.program();  // refuses
  compute(model, binding.batch, binding.inputs.data(), binding.outputs.data());
  return nullptr;
}

void delete_binding(napi_env env, void* data, void*) {
  Binding* binding = static_cast<Binding*>(data);
  for (napi_ref array : binding->arrays) napi_delete_reference(env, array);
  delete binding;
}

napi_value glue(napi_env env, Model& model, const char* name,
                std::initializer_list<napi_value> arguments) {
  napi_value object, function, undefined, result;
  js::check(env, napi_get_reference_value(env, model.environment().glue, &object));
  js::check(env, napi_get_named_property(env, object, name, &function));
  js::check(env, napi_get_undefined(env, &undefined));
  js::check(env, napi_call_function(env, undefined, function, arguments.size(), arguments.begin(),
                                    &result));
  return result;
}

napi_value bind(napi_env env, napi_callback_info info) {
  const js::Arguments<3> arguments(env, info);
  const std::shared_ptr<Model>& model = model_of(arguments.data);
  const size_t input_count = model->program().input_count();
  const size_t output_count = model->program().output_count();
  const size_t batch = read_batch(env, arguments[0]);
  Ports inputs, outputs;
  read_ports(env, arguments[1], input_count, "inputs", inputs);
  read_ports(env, arguments[2], output_count, "outputs", outputs);
  Program& program = model->program();
  auto binding = std::make_unique<Binding>();
  binding->model = model;
  binding->batch = batch;
  binding->input_count = input_count;
  binding->inputs.resize(input_count);
  binding->outputs.resize(output_count);
  for (size_t i = 0; i < input_count; ++i) {
    binding->lengths.push_back(batch * program.input_features(i));
    binding->inputs[i] = port_memory(env, inputs.values[i], binding->lengths.back(), "inputs", i);
  }
  for (size_t i = 0; i < output_count; ++i) {
    binding->lengths.push_back(batch * program.output_features(i));
    binding->outputs[i] =
        port_memory(env, outputs.values[i], binding->lengths.back(), "outputs", i);
  }
  check_outputs_apart(program, batch, binding->outputs.data());
  if (!program.prepare(batch)) throw std::bad_alloc();
  napi_value checked;
  js::check(env, napi_create_function(env, "bound", NAPI_AUTO_LENGTH, js::guarded<call_checked>,
                                      binding.get(), &checked));
  js::check(env, napi_add_finalizer(env, checked, binding.get(), delete_binding, nullptr, nullptr));
  Binding* owned = binding.release();
  for (size_t i = 0; i < input_count + output_count; ++i) {
    napi_ref reference;
    js::check(env, napi_create_reference(
                       env, i < input_count ? inputs.values[i] : outputs.values[i - input_count], 1,
                       &reference));
    owned->arrays.push_back(reference);
  }
  if (input_count != 1 || output_count != 1) return checked;
  // The wrapper holds both functions, and nobody else has the unchecked one: `owned` outlives it.
  napi_value unchecked;
  js::check(env, napi_create_function(env, "bound", NAPI_AUTO_LENGTH, js::guarded<call_unchecked>,
                                      owned, &unchecked));
  const auto length = [&](size_t i) {
    return js::make_number(env, static_cast<double>(owned->lengths[i]));
  };
  return glue(env, *model, "bound",
              {unchecked, checked, inputs.values[0], length(0), outputs.values[0], length(1)});
}

napi_value explain(napi_env env, napi_callback_info info) {
  const js::Arguments<1> arguments(env, info);
  Program& program = model_of(arguments.data)->program();
  const size_t batch = read_batch(env, arguments[0]);
  if (!program.prepare(batch)) throw std::bad_alloc();
  const std::vector<OperationInfo> infos = program.explain(batch);
  napi_value list;
  js::check(env, napi_create_array_with_length(env, infos.size(), &list));
  for (size_t i = 0; i < infos.size(); ++i) {
    const OperationInfo& operation = infos[i];
    napi_value object;
    js::check(env, napi_create_object(env, &object));
    const auto text = [&](const char* name, const std::string& value) {
      js::set(env, object, name, js::make_string(env, value));
    };
    const auto number = [&](const char* name, double value) {
      js::set(env, object, name, js::make_number(env, value));
    };
    text("name", operation.name);
    text("op", operation.op);
    number("rows", static_cast<double>(operation.rows));
    number("cols", static_cast<double>(operation.cols));
    number("nnz", static_cast<double>(operation.nnz));
    text("layout", operation.layout);
    text("kernel", operation.kernel);
    text("reason", operation.reason);
    number("predictedNs", operation.predicted_ns);
    number("denseNs", operation.dense_ns);
    number("bytes", static_cast<double>(operation.bytes));
    js::check(env, napi_set_element(env, list, static_cast<uint32_t>(i), object));
  }
  return list;
}

napi_value memory(napi_env env, napi_callback_info info) {
  const js::Arguments<0> arguments(env, info);
  return js::make_number(env, static_cast<double>(model_of(arguments.data)->bytes()));
}

napi_value dispose(napi_env env, napi_callback_info info) {
  const js::Arguments<0> arguments(env, info);
  Model& model = *model_of(arguments.data);
  if (model.disposed()) return nullptr;
  model.dispose();
  model.unreport_memory(env);
  return nullptr;
}

}  // namespace

napi_value make_model_object(napi_env env, const std::shared_ptr<Model>& model) {
  napi_value object;
  js::check(env, napi_create_object(env, &object));
  const auto function = [&](const char* name, napi_callback callback) {
    auto data = std::make_unique<Method>(Method{model});
    napi_value function;
    js::check(env,
              napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data.get(), &function));
    js::check(env, napi_add_finalizer(
                       env, function, data.get(),
                       [](napi_env, void* owned, void*) { delete static_cast<Method*>(owned); },
                       nullptr, nullptr));
    data.release();
    return function;
  };
  js::set(env, object, "runSync",
          glue(env, *model, "runSync",
               {function("runSync", js::guarded<run_sync_one>),
                function("runSync", js::guarded<run_sync>)}));
  js::set(env, object, "run", function("run", js::guarded<run>));
  js::set(env, object, "bind", function("bind", js::guarded<bind>));
  js::set(env, object, "explain", function("explain", js::guarded<explain>));
  js::set(env, object, "memory", function("memory", js::guarded<memory>));
  const napi_value dispose_function = function("dispose", js::guarded<dispose>);
  js::set(env, object, "dispose", dispose_function);
  auto owned = std::make_unique<Method>(Method{model});
  js::check(env, napi_add_finalizer(
                     env, dispose_function, owned.get(),
                     [](napi_env env, void* data, void*) {
                       model_of(data)->unreport_memory(env);
                       delete static_cast<Method*>(data);
                     },
                     nullptr, nullptr));
  owned.release();
  model->report_memory(env);
  return object;
}

}  // namespace espalier
