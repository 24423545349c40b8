#include "addon/js.h"

#include <cmath>
#include <cstdio>

namespace espalier::js {

napi_value make_error(napi_env env, const char* code, const std::string& message) {
  napi_value js_code, js_message, error;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &js_code) != napi_ok ||
      napi_create_string_utf8(env, message.data(), message.size(), &js_message) != napi_ok ||
      napi_create_error(env, js_code, js_message, &error) != napi_ok) {
    return nullptr;
  }
  return error;
}

void throw_error(napi_env env, const char* code, const std::string& message) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) return;
  if (napi_value error = make_error(env, code, message)) napi_throw(env, error);
}

std::string describe(napi_env env, napi_value received) {
  const Napi::Value value(env, received);
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number: {
      char text[40];
      std::snprintf(text, sizeof(text), "%.17g", value.As<Napi::Number>().DoubleValue());
      return text;
    }
    case napi_string: {
      // The beginning: a message is no place for a long text.
      char text[64];
      size_t length = 0;
      napi_get_value_string_utf8(env, value, text, sizeof(text), &length);
      return '"' + std::string(text, length) + '"';
    }
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_bigint:
      return "a bigint";
    default:
      break;
  }
  if (value.IsTypedArray()) {
    static const char* const kNames[] = {"Int8Array",     "Uint8Array",    "Uint8ClampedArray",
                                         "Int16Array",    "Uint16Array",   "Int32Array",
                                         "Uint32Array",   "Float32Array",  "Float64Array",
                                         "BigInt64Array", "BigUint64Array"};
    const auto array = value.As<Napi::TypedArray>();
    const size_t index = static_cast<size_t>(array.TypedArrayType());
    const char* name = index < sizeof(kNames) / sizeof(kNames[0]) ? kNames[index] : "typed array";
    return std::string(name) + " of length " + std::to_string(array.ElementLength());
  }
  if (value.IsArray()) {
    return "an array of length " + std::to_string(value.As<Napi::Array>().Length());
  }
  return "an object";
}

void refuse_value(napi_env env, const char* code, const std::string& parameter,
                  const std::string& expected, napi_value received) {
  refuse(code, parameter + ": expected " + expected + ", received " + describe(env, received));
}

uint64_t integer(napi_env env, napi_value value, const char* code, const std::string& parameter,
                 uint64_t least, uint64_t most) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok ||
      !(number >= static_cast<double>(least) && number <= static_cast<double>(most)) ||
      number != std::floor(number)) {
    refuse_value(env, code, parameter,
                 "an integer from " + std::to_string(least) + " to " + std::to_string(most), value);
  }
  return static_cast<uint64_t>(number);
}

float number(napi_env env, napi_value value, const char* code, const std::string& parameter) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || !std::isfinite(number) ||
      !std::isfinite(static_cast<float>(number))) {
    refuse_value(env, code, parameter, "a finite number", value);
  }
  return static_cast<float>(number);
}

bool boolean(napi_env env, napi_value value, const char* code, const std::string& parameter) {
  bool flag = false;
  if (napi_get_value_bool(env, value, &flag) != napi_ok) {
    refuse_value(env, code, parameter, "true or false", value);
  }
  return flag;
}

std::string string(napi_env env, napi_value value, const char* code, const std::string& parameter) {
  constexpr size_t kMost = 1 << 16;
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok || length > kMost) {
    refuse_value(env, code, parameter, "a string of at most 65536 bytes", value);
  }
  return Napi::String(env, value).Utf8Value();
}

bool is_undefined(napi_env env, napi_value value) { return Napi::Value(env, value).IsUndefined(); }
bool is_null(napi_env env, napi_value value) { return Napi::Value(env, value).IsNull(); }

napi_value property(napi_env env, napi_value object, const char* name, const char* code,
                    const std::string& parameter) {
  const Napi::Value value(env, object);
  if (value.Type() != napi_object) refuse_value(env, code, parameter, "an object", object);
  return value.As<Napi::Object>().Get(name);
}

std::vector<napi_value> elements(napi_env env, napi_value array, const char* code,
                                 const std::string& parameter, uint32_t most) {
  const Napi::Value value(env, array);
  if (!value.IsArray() || value.As<Napi::Array>().Length() > most) {
    refuse_value(env, code, parameter, "an array of at most " + std::to_string(most) + " elements",
                 array);
  }
  const auto list = value.As<Napi::Array>();
  std::vector<napi_value> values(list.Length());
  for (uint32_t i = 0; i < values.size(); ++i) values[i] = list.Get(i);
  return values;
}

namespace {

template <typename T>
Span<T> typed_array(napi_env env, napi_value value, napi_typedarray_type wanted,
                    const char* expected, const char* code, const std::string& parameter,
                    Sharing sharing) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_value buffer;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, &buffer, nullptr) != napi_ok ||
      type != wanted) {
    refuse_value(env, code, parameter, expected, value);
  }
  if (sharing == Sharing::kRefused) {
    bool own = false;
    if (napi_is_arraybuffer(env, buffer, &own) != napi_ok || !own) {
      refuse(code, parameter + ": expected " + expected +
                       " whose memory is not shared, received one over a SharedArrayBuffer");
    }
  }
  static T nothing[1] = {};
  if (data == nullptr) return {nothing, 0};  // empty, or detached
  return {static_cast<T*>(data), length};
}

}  // namespace

Span<float> float_array(napi_env env, napi_value value, const char* code,
                        const std::string& parameter, Sharing sharing) {
  return typed_array<float>(env, value, napi_float32_array, "a Float32Array", code, parameter,
                            sharing);
}
Span<int32_t> int_array(napi_env env, napi_value value, const char* code,
                        const std::string& parameter, Sharing sharing) {
  return typed_array<int32_t>(env, value, napi_int32_array, "an Int32Array", code, parameter,
                              sharing);
}
Span<uint8_t> byte_array(napi_env env, napi_value value, const char* code,
                         const std::string& parameter, Sharing sharing) {
  return typed_array<uint8_t>(env, value, napi_uint8_array, "a Uint8Array", code, parameter,
                              sharing);
}

}  // namespace espalier::js
