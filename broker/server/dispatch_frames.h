#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "broker/queue/message.h"
#include "broker/server/body_slots.h"

namespace rota::server {

// Encodes DISPATCH frames for `items` in their order, bodies[i] belonging to items[i]; items without a body are left out.
// A frame is cut at limits::kDispatchBytes, kMaxBatch items or kMaxShared shared parts. `sink` gets each; the view dies
// with the call.
void encode_dispatch(std::span<const queue::DispatchItem> items, const BodySlots& bodies,
                     const std::function<void(std::string_view frame)>& sink);

}  // namespace rota::server
