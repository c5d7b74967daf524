#pragma once

#include <cstdint>
#include <string>

#include "broker/queue/record.h"
#include "broker/server/cursor.h"
#include "broker/server/outbox.h"
#include "common/wire/message.h"

namespace rota::server {

// One request of a purge or a retry of a whole queue. It goes through the stages that apply, a slice at a time, each slice
// behind the commit of the one before it: so it takes turns with everybody else's work, and memory holds one slice only.
// Once it has done its share it is answered, and the client asks on.
struct BulkRun {
  enum class Kind : std::uint8_t { purge, retry };
  enum Stage : std::uint8_t { queued = 0, finished = 1, memory = 2, over = 3 };  // part of a cursor

  Kind kind = Kind::purge;
  Route client = 0;
  wire::Request request = 0;
  std::string queue;
  std::uint32_t states = 0;
  queue::Sequence through = 0;  // jobs with a later one came, or were retried, after the first request
  Cursor at;                    // `begun`: jobs that ended later are left alone as well
  bool is_first = false;
  bool has_purged = false;  // a slice of queued jobs
  bool reading = false;
  enum class Queue : std::uint8_t { unasked, asked, unknown, known } known = Queue::unasked;  // where nothing was done
  std::uint64_t behind_batch = 0;  // the next slice waits until this batch is on disk
  std::uint64_t done = 0, refused = 0;
  std::size_t visited = 0;
};

}  // namespace rota::server
