#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/queue/command.h"
#include "broker/queue/record.h"
#include "common/base/code.h"

// What the core wants to be told to others. The server encodes these before the next call of the core (views and refs die
// then) and sends each only AFTER the store has committed the changes of the same Effects, and of all before it; those
// with `at_once` depend on nothing stored and may go now. Who waits for a job learns its end from the JobFinished change.
namespace rota::queue {

// A span of one of the flat arrays in Effects, so that a reply of many items costs no allocation of its own.
struct Range {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct ItemReply {
  Code code = Code::ok;
  JobState state = JobState::ready;
  Durability durability = Durability::fsync;
  JobId id;  // the job's; another one where a key was held
  Wall created_at;
  Wall run_at;
  std::string_view reason;  // a literal; empty when code is ok or duplicate
};
// Answers Submit, Cancel and Retry, item by item in order.
struct ItemReplies {
  ClientRef client = 0;
  std::uint64_t request = 0;
  Range items;  // Effects::item_replies
};
struct PurgeReply {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::uint64_t forgotten = 0;
  bool more = false;
};
// Answers Pause and DrainWorker.
struct SimpleReply {
  ClientRef client = 0;
  std::uint64_t request = 0;
  Code code = Code::ok;
  std::string_view reason;
};
struct WorkerWelcomed {
  std::uint64_t route = 0;
  Code code = Code::ok;  // CONFLICT: another live worker holds the name
  std::string_view reason;
  SessionRef session = kNoSession;
  Range started, held, finished;  // Effects::codes: OK (keep; or acknowledged), GONE or STALE, in the order of the HELLO
};
struct DispatchItem {
  Token token;
  JobId id;
  Sequence sequence = 0;  // where the store has the body
  std::uint32_t attempt = 1;
  Millis expires_in{0};  // 0: never
  Durability durability = Durability::fsync;
};
struct Dispatch {
  SessionRef session = kNoSession;
  Range items;  // Effects::dispatches
};
struct CompleteReply {
  SessionRef session = kNoSession;
  std::uint64_t request = 0;
  Range codes;  // Effects::codes
};
// Give back what you have not started of these.
struct ReclaimRequest {
  SessionRef session = kNoSession;
  Range tokens;  // Effects::tokens
};
// Stop these jobs.
struct CancelRequest {
  SessionRef session = kNoSession;
  Range tokens;  // Effects::tokens
};
// Drain: finish what runs, give back the rest, leave.
struct DrainRequest {
  SessionRef session = kNoSession;
};
// The session is over; anything more from its connection gets NO_SESSION.
struct SessionEnded {
  SessionRef session = kNoSession;
  std::string_view reason;  // "lease ended", "said goodbye", "replaced"
};

using MessageBody = std::variant<ItemReplies, PurgeReply, SimpleReply, WorkerWelcomed, Dispatch, CompleteReply,
                                 ReclaimRequest, CancelRequest, DrainRequest, SessionEnded>;

struct Message {
  bool at_once = false;
  MessageBody body;
};

}  // namespace rota::queue
