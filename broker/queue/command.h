#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "broker/queue/record.h"

// What the core is told. Every view and span must live until apply() returns and its effects were taken.
namespace rota::queue {

// The server's number for a client connection; opaque to the core. 0: nobody (no reply wanted).
using ClientRef = std::uint64_t;
// The core's number for a worker session, given in WorkerWelcomed.
using SessionRef = std::uint32_t;
inline constexpr SessionRef kNoSession = UINT32_MAX;

struct SubmitShared {
  SharedRecord record;  // names already checked by the server
  std::int8_t priority = 0;
  Millis delay{0};
  Wall run_at;        // a time of day that the user named; ms 0: none
  Millis expires{0};  // from acceptance; 0: never
};
struct SubmitItem {
  std::uint32_t shared = 0;  // index into Submit::shared, checked by the server
  JobId id;
  std::uint64_t content_hash = 0;
  std::string_view key;
  std::string_view body;
};
struct Submit {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::span<const SubmitShared> shared;
  std::span<const SubmitItem> items;
  std::span<const FinishedJob> found;  // finished jobs older than the horizon that items name
};

struct Cancel {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::span<const JobId> ids;
  std::span<const FinishedJob> found;
};
struct RetryItem {
  JobId id;
  std::optional<std::uint32_t> attempt_seen;  // CONFLICT if the job went on since
  bool dropped = false;  // a memory job, known to the core but no longer to its store, which made room: NOT_FOUND
};
struct Retry {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::span<const RetryItem> items;
  std::span<const FinishedJob> found;
};
// Forgets queued jobs of `queue` in one of `states` (scheduled, ready) with a sequence up to `through`, at most
// limits::kSliceRecords in one call; PurgeReply says whether more are left.
struct Purge {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::string_view queue;
  std::uint32_t states = 0;
  Sequence through = 0;
  bool is_first = true;  // slice: where an earlier purge of the queue stopped does not count
};
// Forgets these finished jobs, as the store gave them: those that went on since are left alone. PurgeReply counts.
struct ForgetFinished {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::span<const FinishedJob> jobs;
};
struct Pause {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::string_view queue;
  bool paused = true;
};

struct TokenOf {
  JobId id;
  Token token;
};
struct ServedQueue {
  std::string_view name;
  std::uint32_t weight = 1;
};
struct WorkerHello {
  std::uint64_t route = 0;  // the server's number for the connection; comes back in WorkerWelcomed
  Uuid session;
  std::uint64_t connection = 0;  // raised by the worker for each socket
  std::string_view name;
  std::string_view host;
  std::string_view boot_id;
  std::uint64_t pid = 0;
  std::uint64_t start_time = 0;  // of the process, clock ticks since boot
  std::uint32_t slots = 1;
  std::uint32_t credit = 1;  // how many jobs it may hold unfinished: slots + prefetch
  std::span<const ServedQueue> queues;
  std::span<const std::string_view> types;
  std::span<const TokenOf> started;
  std::span<const TokenOf> held;      // not started
  std::span<const TokenOf> finished;  // not acknowledged
  std::span<const FinishedJob> found;
  bool draining = false;
};
struct CompletionItem {
  TokenOf job;
  AttemptEnd end = AttemptEnd::succeeded;
  std::string_view report;  // opaque (wire::encode_report)
  Millis started_ago{0};    // start of the attempt before now, by the worker's steady clock
};
struct Complete {
  SessionRef session = kNoSession;
  std::uint64_t request = 0;
  std::uint64_t started_through = 0;  // highest dispatch number started
  std::uint32_t credit = 0;
  std::span<const CompletionItem> items;
  std::span<const FinishedJob> found;
};
// Something came from the worker that is not carried out yet, because it waits for the store: a sign of life all the same.
// A HELLO names the session by its uuid.
struct WorkerHeard {
  SessionRef session = kNoSession;
  Uuid uuid;
};
struct Renew {
  SessionRef session = kNoSession;
  std::uint64_t started_through = 0;
  std::uint32_t credit = 0;
};
// Jobs given back unstarted: requeued without a loss.
struct Released {
  SessionRef session = kNoSession;
  std::span<const TokenOf> jobs;
};
// The session's connection is gone, the worker may be alive: until its next HELLO it is given nothing; its lease decides
// over what it holds. `undelivered` certainly never left the broker and is requeued at once, without a loss; of any
// session (kNoSession: none is marked).
struct WorkerUnreachable {
  SessionRef session = kNoSession;
  std::span<const TokenOf> undelivered;
};
// The worker is leaving: what it still holds is requeued, started ones with a loss.
struct WorkerGoodbye {
  SessionRef session = kNoSession;
};
// Ask a worker to drain: it gets no more jobs.
struct DrainWorker {
  ClientRef client = 0;
  std::uint64_t request = 0;
  std::string_view name;
};

}  // namespace rota::queue
