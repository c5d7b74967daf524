#pragma once

#include <memory>

#include "bench/compare/peer.h"

namespace rota::compare {

// A queue with publisher confirms: durable, with persistent messages, where the load asks for fsync. `quorum`: a quorum
// queue of one member, which is always durable.
[[nodiscard]] std::unique_ptr<Peer> make_rabbitmq(const Load& load, bool quorum);

}  // namespace rota::compare
