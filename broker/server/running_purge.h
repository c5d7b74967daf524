#pragma once

#include <cstdint>
#include <string>

#include "broker/queue/record.h"
#include "broker/server/outbox.h"
#include "common/wire/message.h"

namespace rota::server {

// A purge under way: one slice a turn, answered when nothing is left.
struct RunningPurge {
  Route client = 0;
  wire::Request request = 0;
  std::string queue;
  std::uint32_t states = 0;  // bit per JobState
  queue::Sequence through = 0;
  std::uint64_t forgotten = 0;
};

}  // namespace rota::server
