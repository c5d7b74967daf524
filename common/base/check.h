#pragma once

// Invariants. A broken invariant stops the process: carrying on with a wrong queue is worse than a restart,
// because everything acknowledged is on disk. Bad input is never an invariant; it is a Result.

namespace rota {

// Prints "file:line: invariant broken: text" to stderr and aborts. Never returns.
[[noreturn]] void check_failed(const char* text, const char* file, int line) noexcept;

}  // namespace rota

// Stays on in every build. `condition` is evaluated exactly once.
#define ROTA_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::rota::check_failed(#condition, __FILE__, __LINE__))
