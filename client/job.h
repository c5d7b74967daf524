#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/code.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"

// What the broker tells about jobs and about itself.
namespace rota::client {

// A job that is final, or cannot be waited for. A view: it lives until the callback that gets it returns.
struct FinishedJob {
  JobId id;
  // OK; or why the job cannot be waited for (NOT_FOUND: never known, forgotten, or lost with the broker's memory).
  Code code = Code::ok;
  JobState state = JobState::succeeded;
  std::uint32_t attempts = 0;
  std::uint32_t losses = 0;
  std::string_view worker;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::string_view error_code;  // empty: none
  std::string_view error_message;
  std::string_view result;        // may be left out: not asked for, or larger than limits::kMaxInlineResult
  std::uint64_t result_size = 0;  // whole
  std::string_view stderr_tail;
  std::string_view message;  // of a code other than OK

  [[nodiscard]] bool succeeded() const { return code == Code::ok && state == JobState::succeeded; }
};

// A job as it stands.
struct Job {
  JobId id;
  Code code = Code::ok;  // NOT_FOUND: only id and message hold
  std::string message;
  std::string name, queue, type, key;
  JobState state = JobState::ready;
  bool cancel_requested = false;
  std::int32_t priority = 0;
  std::uint32_t attempts = 0, losses = 0, retries = 0;
  Durability durability = Durability::fsync;
  Wall created_at, run_at, started_at, finished_at;  // ms 0: does not apply
  std::string worker;                                // of the last attempt, as all below
  std::optional<std::int32_t> exit_code, signal;
  std::string error_code, error_message;
  std::string result;  // only if asked for
  std::uint64_t result_size = 0;
  std::string stderr_tail;
  std::optional<double> progress;  // 0 … 1, of a running job, as its worker last said
  std::string progress_message;
  std::string waiting_for;  // why nothing runs; empty: nothing to say
};

// Which jobs to list: those that pass all that is given.
struct JobFilter {
  std::string queue, type;   // empty: any
  std::uint32_t states = 0;  // state_bit() of each, live and final together; 0: any
  Millis since{0};           // made within this long before now; 0: any
};

// A part of a list, newest first.
struct JobPage {
  std::vector<Job> jobs;  // without results
  std::string cursor;     // where the list goes on, opaque bytes; empty: that was all
};

// What a command over the jobs of a queue has done so far.
struct BulkProgress {
  std::uint64_t done = 0;     // forgotten by purge, put back by retry_queue
  std::uint64_t refused = 0;  // retry_queue: could not go back, because another job holds their key, say
  bool complete = false;      // nothing is left to do
};

// How cancel or retry went for one job.
struct ItemOutcome {
  JobId id;
  Code code = Code::ok;
  JobState state = JobState::ready;
  std::string message;
};

// One row of an administrative answer, in the broker's order.
using AdminValue = std::variant<std::int64_t, double, bool, std::string>;
using AdminRow = std::vector<std::pair<std::string, AdminValue>>;

// The value of that name as a number; 0 if there is none.
[[nodiscard]] double number_in(const AdminRow& row, std::string_view name);
// The value of that name as text; empty if there is none or it is a number.
[[nodiscard]] std::string_view text_in(const AdminRow& row, std::string_view name);

}  // namespace rota::client
