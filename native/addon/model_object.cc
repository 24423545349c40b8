// The methods of NativeModel. Each function carries the model itself, so it does not matter on
// which object it is called.
#include <algorithm>
#include <cstring>

#include "addon/environment.h"
#include "addon/js.h"
#include "addon/model.h"
#include "kernels/values.h"

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
void read_ports(const Napi::Value& given, size_t count, const char* parameter, Ports& ports) {
  if (!given.IsArray() || given.As<Napi::Array>().Length() != count) {
    js::refuse_value(given.Env(), kInput, parameter,
                     "an array of " + std::to_string(count) + " Float32Arrays", given);
  }
  const auto array = given.As<Napi::Array>();
  if (count > kFewPorts) {
    ports.many.resize(count);
    ports.values = ports.many.data();
  }
  for (uint32_t i = 0; i < count; ++i) ports.values[i] = array.Get(i);
}

// Its memory, after a look at its type and length; no JavaScript runs. One call of Node-API where
// Napi::Float32Array makes several: small networks take less time than these.
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
  if (model.compute_now(batch, inputs, outputs)) return;
  const std::string problem = model.problem();
  if (problem.empty()) throw std::bad_alloc();
  js::refuse(kInput, problem);
}

Napi::Value run_sync(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Model& model = *model_of(info.Data());
  size_t input_count = model.program().input_count();
  size_t output_count = model.program().output_count();
  const size_t batch = read_batch(env, info[0]);
  Ports inputs, outputs;
  read_ports(info[1], input_count, "inputs", inputs);
  read_ports(info[2], output_count, "outputs", outputs);
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
  return env.Undefined();
}

// The same for one input and one output, given without arrays around them: see glue.h.
Napi::Value run_sync_one(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Model& model = *model_of(info.Data());
  Program& program = model.program();
  if (program.input_count() != 1 || program.output_count() != 1) {
    js::refuse(kInput, "expected " + std::to_string(program.input_count()) + " inputs and " +
                           std::to_string(program.output_count()) + " outputs, received 1 and 1");
  }
  const size_t batch = read_batch(env, info[0]);
  const float* input = port_memory(env, info[1], batch * program.input_features(0), "inputs", 0);
  float* output = port_memory(env, info[2], batch * program.output_features(0), "outputs", 0);
  compute(model, batch, &input, &output);
  return env.Undefined();
}

Napi::Value run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Model>& model = model_of(info.Data());
  const size_t input_count = model->program().input_count();
  const size_t batch = read_batch(env, info[0]);
  Ports inputs;
  read_ports(info[1], input_count, "inputs", inputs);
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
  size_t floats = 0;
  for (size_t i = 0; i < input_count; ++i)
    floats += aligned_values(batch * program.input_features(i));
  for (size_t i = 0; i < program.output_count(); ++i) {
    job->output_lengths.push_back(batch * program.output_features(i));
    floats += aligned_values(job->output_lengths.back());
  }
  job->memory.resize(floats);
  float* next = job->memory.data();
  for (size_t i = 0; i < input_count; ++i) {
    const size_t length = batch * program.input_features(i);
    std::memcpy(next, sources[i], length * sizeof(float));
    job->inputs.push_back(next);
    next += aligned_values(length);
  }
  for (size_t length : job->output_lengths) {
    job->outputs.push_back(next);
    next += aligned_values(length);
  }
  return model->environment().runner_of(env).submit(env, std::move(job));
}

// What a function made by bind() computes. The arrays are held.
struct Binding {
  std::shared_ptr<Model> model;
  size_t batch;
  size_t input_count;
  std::vector<Napi::ObjectReference> arrays;  // inputs, then outputs
  std::vector<size_t> lengths;
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
};

// Asks the arrays for their memory first: a detached or shrunk buffer is an error, never a stray
// pointer.
Napi::Value call_checked(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Binding& binding = *static_cast<Binding*>(info.Data());
  Model& model = *binding.model;
  model.program();  // refuses if disposed
  for (size_t i = 0; i < binding.arrays.size(); ++i) {
    const Napi::Object array = binding.arrays[i].Value();
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
  return env.Undefined();
}

// The wrapper of glue.h has looked already.
Napi::Value call_unchecked(const Napi::CallbackInfo& info) {
  Binding& binding = *static_cast<Binding*>(info.Data());
  Model& model = *binding.model;
  if (model.disposed()) model.program();  // refuses
  compute(model, binding.batch, binding.inputs.data(), binding.outputs.data());
  return {};
}

Napi::Value glue(Model& model, const char* name, const std::vector<napi_value>& arguments) {
  return model.environment().glue.Get(name).As<Napi::Function>().Call(arguments);
}

Napi::Value bind(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Model>& model = model_of(info.Data());
  const size_t input_count = model->program().input_count();
  const size_t output_count = model->program().output_count();
  const size_t batch = read_batch(env, info[0]);
  Ports inputs, outputs;
  read_ports(info[1], input_count, "inputs", inputs);
  read_ports(info[2], output_count, "outputs", outputs);
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
  const Napi::Function checked =
      Napi::Function::New<js::guarded<call_checked>>(env, "bound", binding.get());
  checked.AddFinalizer([](Napi::Env, Binding* owned) { delete owned; }, binding.get());
  Binding* owned = binding.release();
  for (size_t i = 0; i < input_count + output_count; ++i) {
    const napi_value array = i < input_count ? inputs.values[i] : outputs.values[i - input_count];
    owned->arrays.push_back(Napi::Persistent(Napi::Object(env, array)));
  }
  if (input_count != 1 || output_count != 1) return checked;
  // The wrapper holds both functions, and nobody else has the unchecked one: `owned` outlives it.
  const Napi::Function unchecked =
      Napi::Function::New<js::guarded<call_unchecked>>(env, "bound", owned);
  const auto length = [&](size_t i) {
    return Napi::Number::New(env, static_cast<double>(owned->lengths[i]));
  };
  return glue(*model, "bound",
              {unchecked, checked, inputs.values[0], length(0), outputs.values[0], length(1)});
}

Napi::Value explain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Program& program = model_of(info.Data())->program();
  const size_t batch = read_batch(env, info[0]);
  if (!program.prepare(batch)) throw std::bad_alloc();
  const std::vector<OperationInfo> infos = program.explain(batch);
  const Napi::Array list = Napi::Array::New(env, infos.size());
  for (size_t i = 0; i < infos.size(); ++i) {
    const OperationInfo& operation = infos[i];
    const Napi::Object object = Napi::Object::New(env);
    const auto text = [&](const char* name, const std::string& value) { object.Set(name, value); };
    const auto number = [&](const char* name, double value) { object.Set(name, value); };
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
    number("measuredNs", operation.measured_ns);
    text("values", operation.values);
    number("bytes", static_cast<double>(operation.bytes));
    list.Set(static_cast<uint32_t>(i), object);
  }
  return list;
}

Napi::Value profile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Model& model = *model_of(info.Data());
  const size_t input_count = model.program().input_count();
  const size_t batch = read_batch(env, info[0]);
  Ports inputs;
  read_ports(info[1], input_count, "inputs", inputs);
  constexpr uint64_t kMostRepeats = 1000000;
  const int repeats =
      static_cast<int>(js::integer(env, info[2], "INVALID_ARGUMENT", "repeats", 1, kMostRepeats));
  Program& program = model.program();
  Pointers pointers(input_count, program.output_count());
  for (size_t i = 0; i < input_count; ++i) {
    pointers.inputs[i] =
        port_memory(env, inputs.values[i], batch * program.input_features(i), "inputs", i);
  }
  // Now the batch is known to be one that there is memory for.
  Napi::Float64Array ns = Napi::Float64Array::New(env, program.operation_count());
  std::vector<std::vector<float>> outputs;
  for (size_t i = 0; i < program.output_count(); ++i) {
    outputs.emplace_back(batch * program.output_features(i));
    pointers.outputs[i] = outputs.back().data();
  }
  if (model.profile_now(batch, pointers.inputs, pointers.outputs, repeats, ns.Data())) return ns;
  const std::string problem = model.problem();
  if (problem.empty()) throw std::bad_alloc();
  js::refuse(kInput, problem);
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Napi::Number::New(env, static_cast<double>(model_of(info.Data())->bytes()));
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Model& model = *model_of(info.Data());
  if (model.disposed()) return env.Undefined();
  model.dispose();
  model.unreport_memory(env);
  return env.Undefined();
}

// A function that keeps the model alive.
template <Napi::Value (*kFunction)(const Napi::CallbackInfo&)>
Napi::Function method(Napi::Env env, const char* name, const std::shared_ptr<Model>& model) {
  auto data = std::make_unique<Method>(Method{model});
  const Napi::Function function =
      Napi::Function::New<js::guarded<kFunction>>(env, name, data.get());
  function.AddFinalizer([](Napi::Env, Method* owned) { delete owned; }, data.get());
  data.release();
  return function;
}

}  // namespace

Napi::Object make_model_object(Napi::Env env, const std::shared_ptr<Model>& model) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("runSync", glue(*model, "runSync",
                             {method<run_sync_one>(env, "runSync", model),
                              method<run_sync>(env, "runSync", model)}));
  object.Set("run", method<run>(env, "run", model));
  object.Set("bind", method<bind>(env, "bind", model));
  object.Set("explain", method<explain>(env, "explain", model));
  object.Set("profile", method<profile>(env, "profile", model));
  object.Set("memory", method<memory>(env, "memory", model));
  const Napi::Function disposing = method<dispose>(env, "dispose", model);
  object.Set("dispose", disposing);
  auto owned = std::make_unique<Method>(Method{model});
  disposing.AddFinalizer(
      [](Napi::Env env, Method* data) {
        data->model->unreport_memory(env);
        delete data;
      },
      owned.get());
  owned.release();
  model->report_memory(env);
  return object;
}

}  // namespace espalier
