#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace rota::store::lmdb {

// LMDB begins with the younger of the two pages that each name a root of its tree. They have no checksum, so damage to the
// younger would quietly take the store one commit back. They alternate: of two good ones the numbers differ by exactly one,
// and each has its own parity. INTERNAL if that does not hold; fine if there is no file yet.
// Layout: mdb.c of LMDB 0.9, MDB_page and MDB_meta on a 64-bit machine.
[[nodiscard]] Status check_meta_pages(const std::string& directory);

// "data.mdb was cut: it has 20480 bytes of at least 81920" if the file of `fd` is shorter than its last page's end: LMDB
// would die of SIGBUS there. Empty: it is not.
[[nodiscard]] std::string what_is_cut(int fd, std::uint64_t needed_bytes);

}  // namespace rota::store::lmdb
