#pragma once

#include <string_view>

#include "common/wire/message.h"

namespace rota::server {

// The value of an ADMIN's argument; empty if it is not there.
[[nodiscard]] inline std::string_view argument(const wire::Admin& admin, std::string_view name) {
  for (const wire::Pair& pair : admin.arguments) {
    if (pair.first == name) return pair.second;
  }
  return {};
}

}  // namespace rota::server
