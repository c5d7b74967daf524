#pragma once

#include <memory>

#include "bench/compare/peer.h"

namespace rota::compare {

[[nodiscard]] std::unique_ptr<Peer> make_beanstalkd(const Load& load);

}  // namespace rota::compare
