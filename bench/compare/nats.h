#pragma once

#include <memory>

#include "bench/compare/peer.h"

namespace rota::compare {

// A JetStream work queue: in memory, or in files where the load asks for fsync.
[[nodiscard]] std::unique_ptr<Peer> make_nats(const Load& load);

}  // namespace rota::compare
