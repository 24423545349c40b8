// The program object of src/program/program.ts → ProgramSpec.
#ifndef ESPALIER_NATIVE_ADDON_READ_PROGRAM_H_
#define ESPALIER_NATIVE_ADDON_READ_PROGRAM_H_

#include <napi.h>

#include "program/spec.h"

namespace espalier {

// The spec borrows the arrays' memory: it is good until JavaScript runs again. Throws as js.h says.
ProgramSpec read_program(napi_env env, napi_value program);

// What a program may hold, told from the lists that read_program reads by: Contract in
// src/engine/addon.ts.
Napi::Object contract(Napi::Env env);

}  // namespace espalier

#endif  // ESPALIER_NATIVE_ADDON_READ_PROGRAM_H_
