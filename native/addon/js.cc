#include "addon/js.h"

#include <cmath>
#include <cstdio>

namespace espalier::js {

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw Pending{};
  refuse("INTERNAL", "Node-API answered with status " + std::to_string(status));
}

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

std::string describe(napi_env env, napi_value value) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok) return "an unknown value";
  switch (type) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number: {
      double number = 0;
      napi_get_value_double(env, value, &number);
      char text[40];
      std::snprintf(text, sizeof(text), "%.17g", number);
      return text;
    }
    case napi_string: {
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
  bool is = false;
  if (napi_is_typedarray(env, value, &is) == napi_ok && is) {
    napi_typedarray_type kind;
    size_t length = 0;
    napi_get_typedarray_info(env, value, &kind, &length, nullptr, nullptr, nullptr);
    static const char* const kNames[] = {"Int8Array",     "Uint8Array",    "Uint8ClampedArray",
                                         "Int16Array",    "Uint16Array",   "Int32Array",
                                         "Uint32Array",   "Float32Array",  "Float64Array",
                                         "BigInt64Array", "BigUint64Array"};
    const size_t index = static_cast<size_t>(kind);
    const char* name = index < sizeof(kNames) / sizeof(kNames[0]) ? kNames[index] : "typed array";
    return std::string(name) + " of length " + std::to_string(length);
  }
  if (napi_is_array(env, value, &is) == napi_ok && is) {
    uint32_t length = 0;
    napi_get_array_length(env, value, &length);
    return "an array of length " + std::to_string(length);
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

std::string string(napi_env env, napi_value value, const char* code, const std::string& parameter) {
  constexpr size_t kMost = 1 << 16;
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok || length > kMost) {
    refuse_value(env, code, parameter, "a string of at most 65536 bytes", value);
  }
  std::string text(length + 1, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), text.size(), &length));
  text.resize(length);
  return text;
}

namespace {
bool is_type(napi_env env, napi_value value, napi_valuetype wanted) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type == wanted;
}
}  // namespace

bool is_undefined(napi_env env, napi_value value) { return is_type(env, value, napi_undefined); }
bool is_null(napi_env env, napi_value value) { return is_type(env, value, napi_null); }

napi_value property(napi_env env, napi_value object, const char* name, const char* code,
                    const std::string& parameter) {
  if (!is_type(env, object, napi_object)) {
    refuse_value(env, code, parameter, "an object", object);
  }
  napi_value value;
  check(env, napi_get_named_property(env, object, name, &value));
  return value;
}

std::vector<napi_value> elements(napi_env env, napi_value array, const char* code,
                                 const std::string& parameter, uint32_t most) {
  bool is = false;
  uint32_t length = 0;
  if (napi_is_array(env, array, &is) != napi_ok || !is ||
      napi_get_array_length(env, array, &length) != napi_ok || length > most) {
    refuse_value(env, code, parameter, "an array of at most " + std::to_string(most) + " elements",
                 array);
  }
  std::vector<napi_value> values(length);
  for (uint32_t i = 0; i < length; ++i) check(env, napi_get_element(env, array, i, &values[i]));
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

napi_value make_string(napi_env env, const std::string& text) {
  napi_value value;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}
napi_value make_number(napi_env env, double value) {
  napi_value number;
  check(env, napi_create_double(env, value, &number));
  return number;
}
napi_value make_array(napi_env env, napi_typedarray_type type, size_t length, void** data) {
  napi_value buffer, array;
  check(env, napi_create_arraybuffer(env, length * 4, data, &buffer));
  check(env, napi_create_typedarray(env, type, length, buffer, 0, &array));
  return array;
}
void set(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

}  // namespace espalier::js
