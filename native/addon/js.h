// Reading JavaScript values and answering with them, over node-addon-api.
//
// Functions here throw Refused for what the caller must mend and Napi::Error where JavaScript threw
// (a getter did); `guarded` turns both into what Node wants, so that no C++ exception leaves the
// addon.
//
// Reading a property or an element may run any JavaScript code: getters, proxies. float_array and
// its like run none. So callers first read all properties, keeping the arrays as napi_value, and
// only then ask for their memory, which stays valid until JavaScript runs again.
#ifndef ESPALIER_NATIVE_ADDON_JS_H_
#define ESPALIER_NATIVE_ADDON_JS_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "program/refused.h"

namespace espalier::js {

[[noreturn]] inline void refuse(const char* code, std::string message) {
  throw Refused{code, std::move(message)};
}

void throw_error(napi_env env, const char* code, const std::string& message);
// The Error that throw_error throws. nullptr if none can be made.
napi_value make_error(napi_env env, const char* code, const std::string& message);

// Runs `callable` and throws to JavaScript what it throws.
template <typename F>
void guard(napi_env env, F callable) noexcept {
  try {
    callable();
  } catch (const Refused& refused) {
    throw_error(env, refused.code.c_str(), refused.message);
  } catch (const Napi::Error& error) {
    // Not by its own method: where a worker is being stopped nothing can be thrown, and that is
    // well.
    if (napi_value value = error.Value()) napi_throw(env, value);
  } catch (const std::bad_alloc&) {
    throw_error(env, "INTERNAL", "out of memory");
  } catch (const std::exception& error) {
    throw_error(env, "INTERNAL", error.what());
  }
}

// A function for Napi::Function::New.
template <Napi::Value (*kFunction)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) noexcept {
  Napi::Value value;
  guard(info.Env(), [&] { value = kFunction(info); });
  return value;
}

// What a value is, for messages: "undefined", "a string", ...
std::string describe(napi_env env, napi_value value);
[[noreturn]] void refuse_value(napi_env env, const char* code, const std::string& parameter,
                               const std::string& expected, napi_value received);

// An integer in [least, most].
uint64_t integer(napi_env env, napi_value value, const char* code, const std::string& parameter,
                 uint64_t least, uint64_t most);
float number(napi_env env, napi_value value, const char* code, const std::string& parameter);
bool boolean(napi_env env, napi_value value, const char* code, const std::string& parameter);
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

}  // namespace espalier::js

#endif  // ESPALIER_NATIVE_ADDON_JS_H_
