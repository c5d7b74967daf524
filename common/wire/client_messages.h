#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/code.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/wire/job_parts.h"

// Messages between a client and the broker. Part of common/wire/message.h.
namespace rota::wire {

struct SubmitShared {
  std::string_view queue, type;
  JobOptions options;
  Spec spec;
  bool operator==(const SubmitShared&) const = default;
};
struct SubmitItem {
  std::uint32_t shared = 0;
  JobId id;
  Selector selector;
  std::string_view payload;
  std::string_view key;
  bool operator==(const SubmitItem&) const = default;
};
struct Submit {
  bool notify = false;  // a NOTIFY with this request's number follows for each accepted job when it is final
  std::vector<SubmitShared> shared;
  std::vector<SubmitItem> items;
  bool operator==(const Submit&) const = default;
};
struct ItemResult {  // on the wire just 0 for a plain OK of a ready job at the asked id
  Code code = Code::ok;
  JobState state = JobState::ready;
  Durability durability = Durability::fsync;
  JobId id;
  Wall created_at, run_at;
  std::string_view message;
  bool plain = false;  // code ok, id as asked, ready: encoded as the integer 0
  bool operator==(const ItemResult&) const = default;
};
struct Submitted {
  std::vector<ItemResult> items;
  Millis retry_after{0};
  bool operator==(const Submitted&) const = default;
};
struct Wait {
  bool with_result = false;
  std::vector<JobId> ids;
  bool operator==(const Wait&) const = default;
};
struct NotifyItem {
  JobId id;
  Code code = Code::ok;  // NOT_FOUND with `message`, or OK
  JobState state = JobState::succeeded;
  std::uint32_t attempts = 0;
  std::uint32_t losses = 0;
  Report report;                  // result empty if not asked for, or larger than limits::kMaxInlineResult
  std::uint64_t result_size = 0;  // whole
  std::string_view message;
  bool operator==(const NotifyItem&) const = default;
};
struct Notify {
  std::vector<NotifyItem> items;
  bool operator==(const Notify&) const = default;
};
struct Get {
  bool with_result = false;
  std::vector<JobId> ids;
  bool operator==(const Get&) const = default;
};
struct JobInfo {  // a map on the wire
  JobId id;
  Code code = Code::ok;  // NOT_FOUND: only id and message hold
  std::string_view message;
  std::string_view name, queue, type, key;
  JobState state = JobState::ready;
  bool cancel_requested = false;
  std::int32_t priority = 0;
  std::uint32_t attempts = 0, losses = 0, retries = 0;
  Durability durability = Durability::fsync;
  Wall created_at, run_at, started_at, finished_at;  // ms 0: does not apply
  Report report;                                     // of the last attempt
  std::uint64_t result_size = 0;
  std::optional<double> progress;  // 0 … 1, as the worker last said
  std::string_view progress_message;
  std::string_view waiting_for;  // why nothing runs: "no connected worker serves exec on default"; empty: nothing to say
  bool operator==(const JobInfo&) const = default;
};
struct Jobs {
  std::vector<JobInfo> jobs;
  bool operator==(const Jobs&) const = default;
};
struct Cancel {
  std::vector<JobId> ids;
  bool operator==(const Cancel&) const = default;
};
struct Retry {
  struct Item {
    JobId id;
    std::optional<std::uint32_t> attempt_seen;
    bool operator==(const Item&) const = default;
  };
  std::vector<Item> items;
  bool operator==(const Retry&) const = default;
};
struct Results {  // answers Cancel and Retry
  std::vector<ItemResult> items;
  bool operator==(const Results&) const = default;
};
struct List {                                      // a map on the wire
  std::string_view queue, type;                    // empty: any
  std::uint32_t states = 0;                        // bit (1 << number) per JobState, live and final together; 0: any
  Millis since{0};                                 // made within this long before now; 0: any
  std::uint32_t limit = limits::kDefaultListJobs;  // jobs wanted, 1 … limits::kMaxListJobs
  std::string_view cursor;                         // of an earlier LISTED with the same filters; empty: from the newest
  // limits::kMinEnding to 32 lower-case hex digits: only jobs among the newest limits::kShortIdSearch whose id, written
  // without dashes, ends so. Without filters and cursor. Empty: any.
  std::string_view ending;
  bool operator==(const List&) const = default;
};
struct Listed {               // answers List: newest first, which is by id, descending
  std::vector<JobInfo> jobs;  // without results; may be fewer than asked, even none, and yet more to come
  std::string_view cursor;    // where the next List goes on, at most limits::kMaxCursor bytes; empty: that was all
  bool operator==(const Listed&) const = default;
};
// Administration: a verb with text arguments; the reply's rows are maps of text to text or integer.
struct Admin {
  std::string_view verb;  // "queues", "workers", "stats", "pause", "resume", "purge", "retry", "drain"
  std::vector<Pair> arguments;
  bool operator==(const Admin&) const = default;
};
struct AdminValue {
  std::string_view name;
  std::variant<std::int64_t, double, bool, std::string_view> value;
  bool operator==(const AdminValue&) const = default;
};
struct AdminReply {
  Code code = Code::ok;
  std::string_view message;
  std::vector<std::vector<AdminValue>> rows;
  // Where the next page of "queues" or "workers" begins, at most limits::kMaxCursor bytes; empty: that was all.
  std::string_view cursor;
  bool operator==(const AdminReply&) const = default;
};

}  // namespace rota::wire
