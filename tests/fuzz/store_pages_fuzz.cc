#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "broker/store/page_walk.h"
#include "common/base/check.h"
#include "common/base/limits.h"

// The bytes are a store's file. The walk gives findings or none, and no more
// than it was asked for; it reads nothing outside the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPageSize = 4096;
  const auto read = [&](std::uint64_t offset, std::span<char> into) {
    if (offset > size || into.size() > size - offset) return false;
    std::memcpy(into.data(), data + offset, into.size());
    return true;
  };
  const auto all = rota::store::lmdb::walk_pages(read, size, kPageSize, rota::limits::kMaxListedDamages);
  ROTA_CHECK(all.size() <= rota::limits::kMaxListedDamages);
  const auto first = rota::store::lmdb::walk_pages(read, size, kPageSize, 1);
  ROTA_CHECK(first.size() == (all.empty() ? 0 : 1));
  ROTA_CHECK(all.empty() || first.front() == all.front());
  return 0;
}
