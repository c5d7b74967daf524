#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/result.h"

namespace rota::store {

// How a child process ended.
struct ChildEnd {
  std::optional<std::string> told;  // what its work returned
  int signal = 0;                   // that killed it, without `told`

  // Without `told`: it crashed, or its work gave up.
  [[nodiscard]] bool crashed() const;
};

// Runs `work` in a child process, as LMDB crashes on damaged pages: no core dump, none of LMDB's last words on stderr, and
// no file longer than the work limits itself to. The child dies with this process. SIGINT, SIGTERM and SIGHUP that are
// blocked here end it, and stay pending. Call it before the process has threads. Errors: INTERNAL, what the system refuses.
[[nodiscard]] Result<ChildEnd> run_in_child(const std::function<std::optional<std::string>()>& work);

// Holds SIGINT, SIGTERM and SIGHUP back while it lives, unless they are ignored; what came meanwhile comes at its end.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  // Whether one came.
  [[nodiscard]] static bool came();
};

}  // namespace rota::store
