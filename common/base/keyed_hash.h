#pragma once

#include <cstdint>
#include <string_view>

namespace rota {

// The hash for tables of what strangers choose: ids, names, keys. Its seed is drawn anew in every process, so that nobody
// can prepare values that all fall on one place of a table, where each look would walk through them all. XXH3-64; never
// stored and never sent. Any thread.
[[nodiscard]] std::uint64_t keyed_hash(std::string_view bytes);

}  // namespace rota
