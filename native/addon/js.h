// Reading JavaScript values and answering with them, over raw Node-API.
//
// Functions here throw Refused for what the caller must mend and Pending where a JavaScript
// exception is already on its way (a getter threw); `guarded` turns both into what Node wants, so
// that no C++ exception leaves the addon.
//
// Reading a property or an element may run any JavaScript code: getters, proxies. float_array and
// its like run none. So callers first read all properties, keeping the arrays as napi_value, and
// only then ask for their memory, which stays valid until JavaScript runs again.
#ifndef ESPALIER_NATIVE_ADDON_JS_H_
#define ESPALIER_NATIVE_ADDON_JS_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "program/refused.h"

namespace espalier::js {

struct Pending {};

// Throws Pending or Refused{INTERNAL} unless `status` is napi_ok.
void check(napi_env env, napi_status status);

[[noreturn]] inline void refuse(const char* code, std::string message) {
  throw Refused{code, std::move(message)};
}

void throw_error(napi_env env, const char* code, const std::string& message);
// The Error that throw_error throws. nullptr if none can be made.
napi_value make_error(napi_env env, const char* code, const std::string& message);

template <napi_value (*kFunction)(napi_env, napi_callback_info)>
napi_value guarded(napi_env env, napi_callback_info info) noexcept {
  try {
    return kFunction(env, info);
  } catch (const Refused& refused) {
    throw_error(env, refused.code.c_str(), refused.message);
  } catch (const Pending&) {
  } catch (const std::bad_alloc&) {
    throw_error(env, "INTERNAL", "out of memory");
  } catch (const std::exception& error) {
    throw_error(env, "INTERNAL", error.what());
  }
  return nullptr;
}

// The arguments, undefined where missing, and the function's data.
template <size_t kCount>
struct Arguments {
  napi_value values[kCount > 0 ? kCount : 1];
  void* data;
  Arguments(napi_env env, napi_callback_info info) {
    size_t count = kCount;
    check(env, napi_get_cb_info(env, info, &count, values, nullptr, &data));
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

// What a value is, for messages: "undefined", "a string", ...
std::string describe(napi_env env, napi_value value);
[[noreturn]] void refuse_value(napi_env env, const char* code, const std::string& parameter,
                               const std::string& expected, napi_value received);

// An integer in [least, most].
uint64_t integer(napi_env env, napi_value value, const char* code, const std::string& parameter,
                 uint64_t least, uint64_t most);
float number(napi_env env, napi_value value, const char* code, const std::string& parameter);
std::string string(napi_env env, napi_value value, const char* code, const std::string& parameter);
bool is_undefined(napi_env env, napi_value value);
bool is_null(napi_env env, napi_value value);

// These may run JavaScript.
napi_value property(napi_env env, napi_value object, const char* name, const char* code,
                    const std::string& parameter);
std::vector<napi_value> elements(napi_env env, napi_value array, const char* code,
                                 const std::string& parameter, uint32_t most);

template <typename T>
struct Span {
  T* data = nullptr;  // never nullptr where given: an empty array has a place too
  size_t length = 0;
};
enum class Sharing { kAllowed, kRefused };  // of memory with other threads
Span<float> float_array(napi_env env, napi_value value, const char* code,
                        const std::string& parameter, Sharing sharing);
Span<int32_t> int_array(napi_env env, napi_value value, const char* code,
                        const std::string& parameter, Sharing sharing);
Span<uint8_t> byte_array(napi_env env, napi_value value, const char* code,
                         const std::string& parameter, Sharing sharing);

napi_value make_string(napi_env env, const std::string& text);
napi_value make_number(napi_env env, double value);
// A new typed array with its own memory at *data; it has `length` elements of four bytes.
napi_value make_array(napi_env env, napi_typedarray_type type, size_t length, void** data);
void set(napi_env env, napi_value object, const char* name, napi_value value);

}  // namespace espalier::js

#endif  // ESPALIER_NATIVE_ADDON_JS_H_
