#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/queue/record.h"

// What apply() decided, as outcomes for the store: loading them never reruns old logic. The views of a change live until
// the next call of the core and as long as the command's own views; a store copies what it keeps.
namespace rota::queue {

struct JobAccepted {
  JobRecord job;
};
struct JobChanged {
  StateRecord state;
};
struct JobLeased {
  LeaseRecord lease;
};
// An open lease that ended without an outcome (released, lost, given up). Finished and forgotten jobs end theirs silently.
struct LeaseEnded {
  Token token;
  Sequence sequence = 0;
};
struct JobFinished {
  OutcomeRecord outcome;
  Token lease;  // the lease that was open, or none
};
// A final job is live again under a new sequence, with its body and id; `state` carries the counts it goes on with.
struct JobRevived {
  JobId id;
  Sequence old_sequence = 0;
  StateRecord state;  // state.sequence is the new one
};
// Forget a job with all its records: purge, or a keep of 0 (then right behind its JobFinished).
struct JobForgotten {
  JobId id;
  Sequence sequence = 0;
  Token lease;  // open lease, or none
};
struct QueuePaused {
  std::string_view queue;
  bool paused = false;
};

using ChangeBody =
    std::variant<JobAccepted, JobChanged, JobLeased, LeaseEnded, JobFinished, JobRevived, JobForgotten, QueuePaused>;

struct Change {
  Durability durability = Durability::fsync;  // which store it is for
  ChangeBody body;
};

}  // namespace rota::queue
