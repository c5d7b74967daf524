#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/code.h"
#include "common/base/job_id.h"
#include "common/base/limits.h"
#include "common/wire/job_parts.h"

// Messages that both clients and workers exchange with the broker. Part of common/wire/message.h.
namespace rota::wire {

struct QueueWeight {
  std::string_view name;
  std::uint32_t weight = 1;
  bool operator==(const QueueWeight&) const = default;
};
// A client fills the first part only.
struct Hello {
  std::uint32_t version_min = limits::kProtocolVersion;
  std::uint32_t version_max = limits::kProtocolVersion;
  std::string_view software;  // "rota 0.1.0"
  std::string_view host;
  std::uint64_t pid = 0;
  // a worker's:
  Uuid session;
  std::uint64_t connection = 0;
  std::string_view name;
  std::string_view boot_id;
  std::uint64_t start_time = 0;
  std::uint32_t slots = 0;
  std::uint32_t credit = 0;
  bool draining = false;
  std::vector<QueueWeight> queues;
  std::vector<std::string_view> types;
  std::vector<Pair> labels;
  std::vector<TokenOf> started, held, finished;
  bool operator==(const Hello&) const = default;
};
struct SlotRange {
  Slot first = 0, last = 4095;
  std::uint64_t epoch = 0;
  bool operator==(const SlotRange&) const = default;
};
struct Welcome {
  std::uint32_t version = limits::kProtocolVersion;
  Uuid broker_id;
  std::string_view software;
  Wall wall;  // the broker's id clock now
  std::vector<SlotRange> slots;
  std::uint64_t max_payload = 0, max_batch = 0, max_message = 0;
  Millis dedup_window{0};
  // Endpoints that the broker advertises; a host of "*" means: the host by which you reached me.
  std::string_view clients_endpoint, workers_endpoint;
  // to a worker:
  Millis lease{0};
  std::vector<Code> started, held, finished;  // OK, GONE or STALE, in the order of the HELLO
  bool operator==(const Welcome&) const = default;
};
// Answers a request that failed as a whole, or (request 0) a frame that could not be read at all.
struct ErrorReply {
  Code code = Code::internal;
  std::string_view message;
  Millis retry_after{0};  // hint of RETRY_LATER, STORE_FULL; 0: none
  bool operator==(const ErrorReply&) const = default;
};
struct Ping {
  bool operator==(const Ping&) const = default;
};
struct Pong {
  bool operator==(const Pong&) const = default;
};
struct Goodbye {  // either way; reason is for people
  Code code = Code::ok;
  std::string_view reason;
  bool operator==(const Goodbye&) const = default;
};

}  // namespace rota::wire
