#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/code.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/base/limits.h"
#include "common/base/token.h"

// The protocol's messages (docs/protocol.md), as values. Strings are views: of a decoded message into its frame, of one to
// be encoded into whatever the caller keeps alive until encode() returns. One body frame per message, a msgpack array
// [type, request, fields...]; arrays grow only at the end.
namespace rota::wire {

// Numbers are wire format: never change or reuse one.
enum class MessageType : std::uint8_t {
  hello = 1,
  welcome = 2,
  error = 3,
  ping = 4,
  pong = 5,
  goodbye = 6,
  // client side
  submit = 16,
  submitted = 17,
  wait = 18,
  notify = 19,
  get = 20,
  jobs = 21,
  cancel = 22,
  retry = 23,
  results = 24,
  list = 25,
  listed = 26,
  admin = 27,
  admin_reply = 28,
  event = 29,  // reserved
  // worker side
  dispatch = 48,
  complete = 49,
  completed = 50,
  renew = 51,
  renewed = 52,
  reclaim = 53,
  released = 54,
  cancel_jobs = 55,
  drain = 56,
  output = 57,  // reserved
};

using Request = std::uint64_t;  // correlation number, chosen by the asker; 0 where nothing was asked
using Pair = std::pair<std::string_view, std::string_view>;

// --- shared pieces ----------------------------------------------------------------------------------------------------

struct Command {
  std::vector<std::string_view> argv;  // at least one
  std::vector<Pair> env;
  std::string_view cwd;  // empty: the worker's
};
// What a job is to its worker beyond queue, type and payload. Stored and passed on as the bytes of encode_spec().
struct Spec {
  std::string_view name;  // for people; empty: none
  std::vector<Pair> headers;
  std::optional<Command> command;  // exec jobs
};
// Which task of an array a job is. For a command with a line, every "{}" of argv stands for the line; where there is no
// "{}" the line is appended as the last argument.
struct Selector {
  enum class Kind : std::uint8_t { none, index, line };
  Kind kind = Kind::none;
  std::int64_t index = 0;
  std::string_view line;
};
// How an attempt ended, in full. Stored as the bytes of encode_report().
struct Report {
  std::string_view worker;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::string_view error_code;     // "EXEC_FAILED", "EXIT", "TIMED_OUT", a handler's own; empty: none
  std::string_view error_message;  // at most limits::kMaxErrorMessage
  std::string_view result;         // stdout, or the handler's bytes
  std::string_view stderr_tail;    // at most limits::kMaxStderrTail
};

struct JobOptions {  // a map with integer keys on the wire; absent keys have these defaults
  std::int8_t priority = 0;
  Millis delay{0};
  Wall run_at;  // ms 0: none
  Millis time_limit{0};
  std::uint32_t retries = 0;
  Millis backoff = limits::kDefaultBackoff;
  std::uint32_t backoff_factor_milli = 2000;
  Millis backoff_max = limits::kDefaultBackoffMax;
  std::uint32_t losses = limits::kDefaultLosses;
  Millis expires{0};
  Millis keep{-1};  // -1: the default; 0: forget at once
  Millis key_for{0};
  Durability durability = Durability::fsync;
  bool stop_on_disconnect = false;
  bool operator==(const JobOptions&) const = default;
};

// --- both sides -------------------------------------------------------------------------------------------------------

struct TokenOf {
  JobId id;
  Token token;
};
struct QueueWeight {
  std::string_view name;
  std::uint32_t weight = 1;
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
};
struct SlotRange {
  Slot first = 0, last = 4095;
  std::uint64_t epoch = 0;
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
};
// Answers a request that failed as a whole, or (request 0) a frame that could not be read at all.
struct ErrorReply {
  Code code = Code::internal;
  std::string_view message;
  Millis retry_after{0};  // hint of RETRY_LATER, STORE_FULL; 0: none
};
struct Ping {};
struct Pong {};
struct Goodbye {  // either way; reason is for people
  Code code = Code::ok;
  std::string_view reason;
};

// --- client side ------------------------------------------------------------------------------------------------------

struct SubmitShared {
  std::string_view queue, type;
  JobOptions options;
  Spec spec;
};
struct SubmitItem {
  std::uint32_t shared = 0;
  JobId id;
  Selector selector;
  std::string_view payload;
  std::string_view key;
};
struct Submit {
  bool notify = false;  // a NOTIFY with this request's number follows for each accepted job when it is final
  std::vector<SubmitShared> shared;
  std::vector<SubmitItem> items;
};
struct ItemResult {  // on the wire just 0 for a plain OK of a ready job at the asked id
  Code code = Code::ok;
  JobState state = JobState::ready;
  Durability durability = Durability::fsync;
  JobId id;
  Wall created_at, run_at;
  std::string_view message;
  bool plain = false;  // code ok, id as asked, ready: encoded as the integer 0
};
struct Submitted {
  std::vector<ItemResult> items;
  Millis retry_after{0};
};
struct Wait {
  bool with_result = false;
  std::vector<JobId> ids;
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
};
struct Notify {
  std::vector<NotifyItem> items;
};
struct Get {
  bool with_result = false;
  std::vector<JobId> ids;
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
  std::string_view waiting_for;  // why nothing runs: "no connected worker serves exec on default"; empty: nothing to say
};
struct Jobs {
  std::vector<JobInfo> jobs;
};
struct Cancel {
  std::vector<JobId> ids;
};
struct Retry {
  struct Item {
    JobId id;
    std::optional<std::uint32_t> attempt_seen;
  };
  std::vector<Item> items;
};
struct Results {  // answers Cancel and Retry
  std::vector<ItemResult> items;
};
// Administration: a verb with text arguments; the reply's rows are maps of text to text or integer.
struct Admin {
  std::string_view verb;  // "queues", "workers", "stats", "pause", "resume", "purge", "drain"
  std::vector<Pair> arguments;
};
struct AdminValue {
  std::string_view name;
  std::variant<std::int64_t, double, bool, std::string_view> value;
};
struct AdminReply {
  Code code = Code::ok;
  std::string_view message;
  std::vector<std::vector<AdminValue>> rows;
};

// --- worker side ------------------------------------------------------------------------------------------------------

struct DispatchShared {
  std::string_view queue, type;
  Millis time_limit{0};
  bool stop_on_disconnect = false;
  std::string_view spec;  // bytes of encode_spec(), embedded as they are
};
struct DispatchItem {
  std::uint32_t shared = 0;
  std::uint64_t dispatch = 0;
  JobId id;
  std::uint32_t attempt = 1;
  Selector selector;
  std::string_view payload;
  Millis expires_in{0};  // 0: never
};
struct Dispatch {
  std::uint64_t epoch = 0;
  std::vector<DispatchShared> shared;
  std::vector<DispatchItem> items;
};
struct CompleteItem {
  TokenOf job;
  AttemptEnd end = AttemptEnd::succeeded;
  Millis started_ago{0};
  Report report;  // its `worker` is not sent: the broker knows it
};
struct Complete {
  std::uint64_t started_through = 0;
  std::uint32_t credit = 0;
  std::vector<CompleteItem> items;
};
struct Completed {
  std::vector<Code> codes;  // OK, STALE or GONE, item by item
};
struct Renew {
  std::uint64_t started_through = 0;
  std::uint32_t credit = 0;
  struct Progress {
    TokenOf job;
    double fraction = 0;  // 0 … 1
    std::string_view message;
  };
  std::vector<Progress> progress;
};
struct Renewed {
  Millis lease{0};
};
struct Reclaim {  // broker to worker
  std::vector<TokenOf> jobs;
};
struct Released {  // worker to broker; not answered: the next HELLO reconciles
  std::vector<TokenOf> jobs;
  std::uint32_t credit = 0;
};
struct CancelJobs {  // broker to worker
  std::vector<TokenOf> jobs;
};
struct Drain {};  // broker to worker

// LIST and LISTED belong to the command set's next part; their numbers are taken.

using Body = std::variant<Hello, Welcome, ErrorReply, Ping, Pong, Goodbye, Submit, Submitted, Wait, Notify, Get, Jobs,
                          Cancel, Retry, Results, Admin, AdminReply, Dispatch, Complete, Completed, Renew, Renewed, Reclaim,
                          Released, CancelJobs, Drain>;

struct Message {
  Request request = 0;
  Body body;
};

}  // namespace rota::wire
