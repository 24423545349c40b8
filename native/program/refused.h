// How checks inside native/program and native/addon refuse what they are given; it never leaves
// them.
#ifndef ESPALIER_NATIVE_PROGRAM_REFUSED_H_
#define ESPALIER_NATIVE_PROGRAM_REFUSED_H_

#include <string>
#include <utility>

namespace espalier {

struct Refused {
  std::string code;  // of src/errors.ts
  std::string message;
};

// "weight: expected ..., received ...".
[[noreturn]] inline void refuse_model(std::string message) {
  throw Refused{"INVALID_MODEL", std::move(message)};
}

}  // namespace espalier

#endif  // ESPALIER_NATIVE_PROGRAM_REFUSED_H_
