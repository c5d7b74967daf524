#pragma once

#include <memory>

#include "bench/compare/peer.h"

namespace rota::compare {

// Foreground jobs, whose submitter gets the result, or background jobs.
[[nodiscard]] std::unique_ptr<Peer> make_gearmand(const Load& load, bool foreground);

}  // namespace rota::compare
