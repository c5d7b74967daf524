#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/queue/command.h"

// What the random model believes about workers and jobs.
namespace rota::scenario {

using queue::Sequence;
using queue::SessionRef;
using queue::TokenOf;

struct Held {
  TokenOf job;
  bool started = false;
};
struct ModelWorker {
  Uuid uuid;
  std::string name;
  std::uint64_t connection = 0;
  SessionRef session = queue::kNoSession;
  std::uint32_t slots = 1;
  std::uint32_t credit = 1;
  std::uint64_t started_through = 0;
  std::vector<Held> held;  // in the order of arrival
};
struct ModelJob {
  JobId id;
  std::size_t queue = 0;
  std::int8_t priority = 0;
  std::uint64_t hash = 0;
  bool final = false;
  bool memory = false;
  Sequence sequence = 0;
  JobState state = JobState::ready;
  std::uint32_t finishes = 0;
  std::uint32_t revivals = 0;
};

}  // namespace rota::scenario
