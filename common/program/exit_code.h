#pragma once

#include "common/base/code.h"

namespace rota::program {

// Exit codes of all programs (docs: README, man pages).
enum Exit : int {
  kExitOk = 0,
  kExitJobFailed = 1,
  kExitNotFound = 2,
  kExitUsage = 64,
  kExitUnreachable = 69,
  kExitInternal = 70,
  kExitTemporary = 75,
  kExitForbidden = 77,
  kExitTimedOut = 124,
  kExitInterrupted = 130,  // as shells report SIGINT
};

// What a refused request exits with.
[[nodiscard]] int exit_for(Code code);

}  // namespace rota::program
