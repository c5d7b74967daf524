#pragma once

#include <memory>

#include "bench/compare/peer.h"

namespace rota::compare {

// A broker, through the product's own client and worker libraries.
[[nodiscard]] std::unique_ptr<Peer> make_rota(const Load& load);

}  // namespace rota::compare
