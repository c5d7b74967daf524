#pragma once

#include <string>

#include "common/base/result.h"

namespace rota::store {

// The store's file in `directory`.
[[nodiscard]] std::string data_file(const std::string& directory);
// NOT_FOUND, with what to do, unless `directory` holds a store.
[[nodiscard]] Status must_hold_store(const std::string& directory);

}  // namespace rota::store
