#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/base/limits.h"
#include "common/base/token.h"

// What a job is, as the core decides on it and as a store keeps it. All strings are views: whoever hands a record over
// says how long they live. Nothing here is a file format; broker/store defines that.
namespace rota::queue {

// First in, first out order within a shard, and the store's key. Given at acceptance; a `retry` gets a new one. Never 0.
using Sequence = std::uint64_t;

// How a job is treated over its life; immutable. Equal policies are kept once.
struct Policy {
  std::uint32_t retries = 0;
  std::uint8_t losses = limits::kDefaultLosses;
  bool stop_on_disconnect = false;  // the worker stops it when the broker is silent for 0.8 of the lease
  Durability durability = Durability::fsync;
  Millis backoff = limits::kDefaultBackoff;
  std::uint32_t backoff_factor_milli = 2000;  // 2.0
  Millis backoff_max = limits::kDefaultBackoffMax;
  Millis time_limit{0};  // 0: none
  Millis keep{-1};       // -1: 24 h, or 7 d if failed; 0: forget at once
  Millis key_for{0};     // how long beyond the end the key is held

  bool operator==(const Policy&) const = default;
};

// What the jobs of one submit share: written once, however many jobs name it.
struct SharedRecord {
  std::string_view queue;
  std::string_view type;
  Policy policy;
  std::string_view spec;  // opaque to core and store: name, headers, command (wire::encode_spec)
};

// An accepted job: immutable.
struct JobRecord {
  Sequence sequence = 0;
  JobId id;
  std::uint64_t content_hash = 0;
  Wall created_at;
  Wall run_at;      // first time it may run; created_at if at once
  Wall expires_at;  // ms 0: never
  std::int8_t priority = 0;
  std::string_view key;  // empty: none
  const SharedRecord* shared = nullptr;
  std::string_view body;  // opaque to core and store: selector and payload
  // run_at is a time of day that the user named: it follows the wall clock. A store that does not keep this lets the wait
  // go on as a duration after a restart.
  bool run_at_named = false;
};

// The rare changes of a live job: retry wait, losses, cancel mark. A later record for the same sequence replaces the
// earlier.
struct StateRecord {
  Sequence sequence = 0;
  std::uint32_t attempts = 0;  // runs that were started
  std::uint32_t failures = 0;  // attempts that ended failed: counted against `retries`
  std::uint8_t losses = 0;
  bool cancel_requested = false;
  bool expiry_over = false;  // the job's `expires` does not count: it has none, or was revived after it
  Wall run_at;               // not before; ms 0: now
  Token consumed;            // the last token that a completion consumed, with its answer
  std::string_view report;   // of the last attempt (see OutcomeRecord), may be empty
};

// A dispatch that is open.
struct LeaseRecord {
  Token token;
  Sequence sequence = 0;
  Uuid session;
  std::uint32_t slots = 0;  // of that session: how many of its first open leases count as started after a crash
  Wall leased_at;
};

// Why a job ended; what a report does not say.
enum class EndReason : std::uint8_t {
  completed = 0,     // an attempt's report decided
  losses_spent = 1,  // its workers were lost more often than its policy allows; failed
  expired = 2,       // not started in time
  cancelled = 3,     // on request; the report, if there is one, is of the attempt that was stopped
};

// The end of a job.
struct OutcomeRecord {
  Sequence sequence = 0;
  JobId id;
  JobState state = JobState::succeeded;  // final
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;
  std::uint8_t losses = 0;
  Token consumed;   // the last token that a completion consumed, or none
  Wall started_at;  // of the last attempt; ms 0 if it never ran
  Wall finished_at;
  Wall forget_at;  // readable until then; equal to finished_at: forget at once
  std::string_view
      report;  // opaque to core and store: worker, exit code, signal, error, result, stderr (wire::encode_report)
  EndReason reason = EndReason::completed;
};

// A finished job as the store returns it.
struct FinishedJob {
  JobRecord job;
  OutcomeRecord outcome;
  std::uint32_t body_size = 0;  // known also where job.body was left out
};

// A live job as the store returns it at load.
struct LiveJob {
  JobRecord job;                       // `body` and `shared->spec` may be empty: the core does not need them
  const StateRecord* state = nullptr;  // if it ever changed
  const LeaseRecord* lease = nullptr;  // if one is open
  std::uint32_t body_size = 0;
};

}  // namespace rota::queue
