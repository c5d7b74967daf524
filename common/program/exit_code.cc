#include "common/program/exit_code.h"

namespace rota::program {

int exit_for(Code code) {
  switch (code) {
    case Code::ok:
    case Code::duplicate:
      return kExitOk;
    case Code::retry_later:
    case Code::moved:
    case Code::no_session:
    case Code::shutting_down:
    case Code::store_full:
      return kExitTemporary;
    case Code::not_found:
    case Code::gone:
      return kExitNotFound;
    case Code::forbidden:
      return kExitForbidden;
    case Code::bad_message:
    case Code::too_large:
    case Code::conflict:
      return kExitUsage;
    case Code::cancelled:
    case Code::stale:
      return kExitJobFailed;
    case Code::timed_out:
      return kExitTimedOut;
    case Code::version:
    case Code::internal:
      return kExitInternal;
  }
  return kExitInternal;
}

}  // namespace rota::program
