#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/prng.h"
#include "common/wire/message.h"
#include "worker/actions.h"
#include "worker/batch.h"
#include "worker/identity.h"
#include "worker/outcome.h"
#include "worker/pace.h"

namespace rota::worker {

// The slots of one worker process, shared by its cores (one per broker) in one thread.
struct Slots {
  std::uint32_t total = 1;
  std::uint32_t used = 0;         // started jobs of all cores
  std::uint32_t written_off = 0;  // taken by handlers that do not return
  [[nodiscard]] std::uint32_t usable() const { return written_off < total ? total - written_off : 0; }
};

// A worker's side of one session with one broker: leases, credit, what is held, started and not yet acknowledged
// (docs/architecture.md). Pure: no socket, thread or clock. One thread. Inputs append to one Actions; call turn() after
// them.
class Core {
 public:
  // `slots` outlives the core.
  Core(Identity identity, Slots& slots, Prng prng);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  // The first connection.
  void begin(Steady now, Actions& out);
  // The HELLO for the newest socket, while wants_hello(). Build it anew for every try: its lists change.
  [[nodiscard]] bool wants_hello() const { return phase_ == Phase::opening; }
  [[nodiscard]] wire::Message hello();
  void hello_sent(Steady now);
  // The new socket that was wanted could not be made; it is wanted again later.
  void open_failed(Steady now, Actions& out);
  // A message of the newest socket. A DISPATCH comes as its batch; `types` of it is filled here.
  void received(const wire::Message& message, Steady now, Actions& out);
  void dispatched(std::unique_ptr<Batch> batch, Steady now, Actions& out);
  // A message could not be handed to the socket: treated as a broken connection.
  void send_failed(Steady now, Actions& out);

  // The executor really began a started job (it may queue short ones). Optional: finished() implies it.
  void begun(Handle job);
  void finished(Handle job, Outcome outcome, std::int64_t run_us, Steady now);
  void progress(Handle job, double fraction, std::string message, Steady now);

  void drain(Steady now);
  // Running jobs are given up and reported lost.
  void kill(Steady now, Actions& out);
  // Commands cannot be run any more: what runs of them is lost; the rest drains, the ending is `broken`.
  void executor_lost(std::string reason, Steady now, Actions& out);

  // Time passes: starts, flushes, renews, gives up, ends.
  void turn(Steady now, Actions& out);
  [[nodiscard]] Steady next_deadline() const;

  [[nodiscard]] Assignment assignment(Handle job) const;
  [[nodiscard]] const Identity& identity() const { return identity_; }
  [[nodiscard]] const Pace& pace(std::uint32_t type) const { return paces_[type]; }
  [[nodiscard]] std::uint32_t credit() const;
  [[nodiscard]] const std::optional<Ending>& ending() const { return ending_; }
  [[nodiscard]] bool ended() const { return phase_ == Phase::ended; }
  [[nodiscard]] bool draining() const { return draining_ || killed_; }
  [[nodiscard]] bool attached() const { return phase_ == Phase::attached; }
  [[nodiscard]] std::uint32_t held() const { return held_count_; }
  [[nodiscard]] std::size_t started() const { return started_.size(); }
  [[nodiscard]] std::size_t unacknowledged() const { return gathered_.size() + in_flight_count_; }
  [[nodiscard]] std::uint64_t started_through() const { return started_through_; }
  // The largest result the broker takes, in bytes.
  [[nodiscard]] std::uint64_t max_result() const { return max_result_; }
  // As WELCOME said it; empty before.
  [[nodiscard]] const std::string& clients_endpoint() const { return clients_endpoint_; }
  // Stops the process if the tables contradict. For tests.
  void check_invariants() const;

 private:
  enum class Phase : std::uint8_t { waiting, opening, greeting, attached, ended };
  enum class State : std::uint8_t { free, held, started, gathered, in_flight };
  struct Entry;
  struct InFlight {
    wire::Request request = 0;
    Steady sent;
    std::vector<std::uint32_t> jobs;
  };
  struct Renewal {
    wire::Request request = 0;
    Steady sent;
  };
  struct Progress {
    Handle job;
    double fraction = 0;
    std::string message;
  };

  // core.cc: the table
  [[nodiscard]] std::uint32_t take_entry();
  void forget(std::uint32_t index);
  [[nodiscard]] Entry* find(Handle job);
  [[nodiscard]] Handle handle_of(std::uint32_t index) const;
  [[nodiscard]] std::vector<std::uint32_t> find_all(const std::vector<wire::TokenOf>& tokens) const;
  void leave_started(std::uint32_t index);
  void gather(std::uint32_t index, Outcome outcome, Steady now);
  // core_session.cc: connection, lease, HELLO and WELCOME, drain
  void reconnect(Steady now, Actions& out, std::string why, bool at_once);
  void welcomed(const wire::Welcome& welcome, Steady now, Actions& out);
  void obey_held(const std::vector<Code>& verdicts, Actions& out);
  void obey_started(const std::vector<Code>& verdicts, Steady now, Actions& out);
  void obey_finished(const std::vector<Code>& verdicts);
  void refused(const wire::ErrorReply& error, wire::Request request, Steady now, Actions& out);
  void watch_connection(Steady now, Actions& out);
  void renew(Steady now, Actions& out);
  void lose(std::uint32_t index, Steady now, Actions& out, const std::string& reason);
  void leave(Steady now, Actions& out);
  void end(Ending ending);
  // core_jobs.cc: held and running jobs
  void start_held(Steady now, Actions& out);
  void start_one(std::uint32_t index, Steady now, Actions& out);
  void give_back_held(Actions& out, bool tell);
  void release(wire::Released released, Actions& out);
  void leave_line(std::size_t count);  // takes out of held_ what is not held any more
  void reclaim(const wire::Reclaim& message, Actions& out);
  void cancel(const wire::CancelJobs& message, Steady now, Actions& out);
  void stop_running(std::uint32_t index, StopReason reason, Steady now, Actions& out);
  void watch_running(Steady now, Actions& out);
  void write_off(std::uint32_t index, Steady now);
  // core_completions.cc
  [[nodiscard]] bool flush_due(Steady now) const;
  void flush(Steady now, Actions& out);
  [[nodiscard]] wire::CompleteItem completion(Entry& entry, Steady now) const;
  void acknowledged(wire::Request request, const std::vector<Code>& codes);
  void completion_refused(InFlight group, const wire::ErrorReply& error, Steady now);
  void take_back_in_flight();
  void drop_gathered(const std::vector<std::uint32_t>& leaving);

  Identity identity_;
  Slots* slots_;
  Prng prng_;
  std::vector<Pace> paces_;  // by type
  Pace overall_;

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::deque<std::uint32_t> held_;  // in dispatch order
  std::uint32_t held_count_ = 0;
  std::vector<std::uint32_t> started_;
  std::vector<std::uint32_t> gathered_;  // finished, not sent on this connection
  std::deque<InFlight> in_flight_;
  std::size_t in_flight_count_ = 0;
  std::vector<Handle> hello_started_, hello_held_, hello_finished_;
  std::vector<wire::TokenOf> hello_held_tokens_;
  std::vector<Progress> progress_, progress_told_;
  std::vector<std::pair<Handle, std::shared_ptr<Batch>>> stuck_;  // reported, but their handlers have not returned

  Phase phase_ = Phase::waiting;
  bool was_attached_ = false, lost_contact_ = false, gave_up_ = false, told_waiting_ = false;
  bool draining_ = false, killed_ = false, send_single_ = false;
  std::optional<Ending> ending_, ending_wanted_;
  std::uint64_t connection_ = 0;
  wire::Request next_request_ = 1, hello_request_ = 0, drain_request_ = 0;
  bool drain_confirmed_ = false;
  Steady begun_at_, renewed_at_, hello_at_, heard_at_, reconnect_at_, renew_at_, kill_until_ = kNeverSteady, gathered_at_,
                                                                                 last_start_;
  Steady lease_from_;  // sent time of the newest renewal that was answered
  Steady flush_not_before_;
  Millis backoff_{0};
  Millis lease_ = limits::kDefaultLease;
  std::deque<Renewal> renewals_;
  std::uint32_t credit_told_ = 0;
  std::uint64_t started_through_ = 0;
  std::uint64_t max_result_ = limits::kDefaultMaxPayload;
  std::uint64_t max_message_ = limits::kMaxMessageBytes;
  std::size_t timed_ = 0;  // started jobs with a deadline of any kind
  std::string clients_endpoint_;
};

}  // namespace rota::worker
