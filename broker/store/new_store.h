#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace rota::store::lmdb {

// Makes the store of `directory`, which exists and is held, unless it is there. It is made beside its place and gets its
// name when it is whole and on disk: after a power cut there is a whole store or none, never half of a first page. When
// this returns, the names of the file and of the directories above it are on disk too; without that a power cut could take
// away everything that was ever committed. `map_size`, `least_map_size` and errors as for Env::open().
[[nodiscard]] Status make_store(const std::string& directory, std::uint64_t map_size, std::uint64_t least_map_size);

}  // namespace rota::store::lmdb
