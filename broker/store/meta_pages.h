#pragma once

#include <cstdint>
#include <string>

#include "broker/store/page_layout.h"
#include "common/base/result.h"

namespace rota::store::lmdb {

// LMDB begins with the younger of the two pages that each name a root of its tree. They have no checksum, so damage to the
// younger would quietly take the store one commit back. They alternate: of two good ones the numbers differ by exactly one,
// and each has its own parity. INTERNAL if that does not hold; fine if there is no file yet.
[[nodiscard]] Status check_meta_pages(const std::string& directory);

// LMDB's lock.mdb has the number of the last commit since a host's start, whatever became of data.mdb: INTERNAL if that is
// one above the file's own (a root page was written, and is not there), or if data.mdb is gone. Fine without a lock.mdb,
// and where data.mdb is another one's copy.
[[nodiscard]] Status check_lock_file(const std::string& directory);

// Whether `meta` can be the page of that number in a file of such pages.
[[nodiscard]] bool is_meta_page(const MetaHeader& meta, std::uint64_t number, std::size_t page_size);
// Whether the file of `fd` says that its layout is not the one of page_layout.h; LMDB refuses it by name.
[[nodiscard]] bool is_of_another_version(int fd);

// "data.mdb was cut: it has 20480 bytes of at least 81920" if the file of `fd` is shorter than its last page's end: LMDB
// would die of SIGBUS there. Empty: it is not.
[[nodiscard]] std::string what_is_cut(int fd, std::uint64_t needed_bytes);

}  // namespace rota::store::lmdb
