#pragma once

#include <map>
#include <string>

#include "broker/store/store.h"

namespace rota::store::test {

// Everything that a store says of its jobs: names like "live 17", "payload 17", "finished ID", with all fields as text.
// What cannot be read for damage holds kUnreadable.
using Contents = std::map<std::string, std::string>;
inline const std::string kUnreadable = "\0unreadable";

// Opens the store, loads it, reads every job, and then lets time pass until all that may be forgotten is. `known`: names to
// ask for. Error: it refused to open or load.
[[nodiscard]] Result<Contents> read_contents(const std::string& directory, const Contents& known);

}  // namespace rota::store::test
