#pragma once

#include <memory>

#include "bench/compare/peer.h"

namespace rota::compare {

// A list with a list of its own for each worker; `by_script`: a batch is taken by one Lua script, not by single LMOVEs.
[[nodiscard]] std::unique_ptr<Peer> make_redis_list(const Load& load, bool by_script);
// A stream with one consumer group.
[[nodiscard]] std::unique_ptr<Peer> make_redis_stream(const Load& load);

}  // namespace rota::compare
