#include "common/base/code.h"

#include <array>

#include "common/base/check.h"

namespace rota {
namespace {

constexpr std::array<std::string_view, kCodeCount> kNames = {
    "OK",        "DUPLICATE", "RETRY_LATER", "MOVED", "NO_SESSION", "VERSION",   "BAD_MESSAGE",   "TOO_LARGE",  "FORBIDDEN",
    "NOT_FOUND", "GONE",      "CONFLICT",    "STALE", "CANCELLED",  "TIMED_OUT", "SHUTTING_DOWN", "STORE_FULL", "INTERNAL"};

}  // namespace

std::string_view code_name(Code code) {
  const auto number = static_cast<std::size_t>(code);
  ROTA_CHECK(number < kNames.size());
  return kNames[number];
}

std::optional<Code> code_from_number(std::uint64_t number) {
  if (number >= kCodeCount) return std::nullopt;
  return static_cast<Code>(number);
}

bool is_retryable(Code code) {
  return code == Code::retry_later || code == Code::moved || code == Code::no_session || code == Code::shutting_down ||
         code == Code::store_full;
}

}  // namespace rota
