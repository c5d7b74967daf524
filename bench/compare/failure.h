#pragma once

#include <string>

namespace rota::compare {

// A measurement that met an error is worth nothing: says what happened on stderr and leaves with exit code 70.
[[noreturn]] void fail(const std::string& what);
// The same with the text of errno.
[[noreturn]] void fail_errno(const std::string& what);

}  // namespace rota::compare
