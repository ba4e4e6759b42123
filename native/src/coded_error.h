// An error with a code of schemas/errors.ts; turned into a JavaScript error at the border.
#pragma once
#include <stdexcept>
#include <string>

namespace kindred {

class IndexError : public std::runtime_error {
 public:
  IndexError(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const { return code_; }

 private:
  const char* code_;
};

[[noreturn]] inline void RefuseArgument(const std::string& message) { throw IndexError("INVALID_ARGUMENT", message); }

}  // namespace kindred
