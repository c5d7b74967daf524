#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/outbox.h"
#include "broker/server/store_port.h"
#include "common/wire/codec.h"
#include "tests/sim/dice.h"
#include "tests/sim/disk.h"

namespace rota::sim {

// Planted bugs: each makes the broker, as everybody around it sees it, break one promise. The simulator must find each.
enum class Canary : std::uint8_t {
  none,
  ack_before_commit,   // answers leave before what they say is on disk
  lost_accept,         // an accepted job is not written
  lost_outcome,        // an end is not written: after a restart the job runs again
  token_ignored,       // a completion counts whatever its token
  stale_kept,          // a worker that comes back may keep what somebody else was given
  stale_told_ok,       // a stale completion is told to have counted
  lost_requeue,        // a job that came back is never given out again
  double_dispatch,     // one dispatch goes to two workers
  double_completion,   // a job that succeeded is given out again
  credit_overrun,      // a worker is given more than it asked for
  priority_inversion,  // low priorities go first
  newest_first,        // within a submit the last goes first
  forgotten_dedup,     // finished ids are not known any more
  lost_wait,           // an end is not told to who waits
  ignored_pause,       // a pause is acknowledged and has no effect
  ignored_cancel,      // so is a cancel
  ignored_delay,       // a job starts before its delay is over
  ignored_key,         // two jobs live under one key
  short_lease,         // leases end before what was told
  swapped_payload,     // two jobs of a dispatch get each other's payload
  weaker_durability,   // a job that was to be synced is kept in memory
  invented_result,     // a result that no worker reported
  unsent_loss,         // jobs are charged losses of dispatches that never left
  late_dispatch,       // a dispatch leaves after the job went to somebody else
  gap_in_list,         // a list leaves a job out
  list_repeats,        // a list goes on with what it had named
  ignored_purge,       // a purge is acknowledged and forgets nothing
  ignored_retry,       // a retry of a queue is acknowledged and takes no job
  ignored_drain,       // a drained worker gets jobs
  ignored_goodbye,     // a client that left is told on
  swallowed_refusal,   // what is no message gets no answer
  ignored_read_error,  // a look into the store that failed is taken for one that found nothing
  early_forget,        // ends are forgotten before their keep is over
  ignored_keep,        // what was not to be kept is
  ignored_memory_limit,
  ignored_retries,     // a job that failed runs again although its retries are spent
  ignored_rejection,   // so does one that was rejected
  ignored_losses,      // a job is lost more often than it may be
  ignored_expiry,      // jobs do not expire
  late_expiry,         // nor do they, but their dispatches say that they will
  ignored_run_at,      // a job starts before the time that was named
  ignored_backoff,     // a job that failed runs again at once
  ignored_time_limit,  // dispatches say nothing of the time limit
  ignored_disconnect,  // nor that a job is to be stopped when the broker is gone
  endless_run,         // a worker does not stop a run at its time limit
  deaf_run,            // a worker does not stop it when the broker is gone
  started_late,        // a worker starts what has expired
};
inline constexpr std::size_t kCanaries = static_cast<std::size_t>(Canary::started_late) + 1;
[[nodiscard]] std::string_view canary_name(Canary canary);

// Stands between the engine and everything around it and rewrites what passes, as a broken broker would. Without a canary
// it lets everything through.
class Saboteur {
 public:
  using Frames = std::vector<std::pair<server::Route, std::string>>;

  Saboteur(Canary canary, std::uint64_t seed) : canary_(canary), dice_(seed) {}

  [[nodiscard]] bool is(Canary canary) const { return canary_ == canary; }
  void broker_started();
  // What the engine is handed instead of this frame.
  [[nodiscard]] std::vector<std::string> inbound(server::Side side, server::Route route, const std::string& frame,
                                                 const queue::Core& core, Now now);
  // Answers that the engine did not give, after inbound().
  [[nodiscard]] Frames forged() { return std::exchange(forged_, {}); }
  // What goes out instead of this frame.
  [[nodiscard]] Frames outbound(server::Side side, server::Route route, std::string_view frame);
  void before_commit(SimBatch& batch);
  void after_read(server::ReadTask& task);

 private:
  // False: swallowed.
  [[nodiscard]] bool rewrite(server::Side side, server::Route route, wire::Message& message, const queue::Core& core,
                             Now now);
  void rewrite(wire::Submit& submit);
  void rewrite(wire::Complete& complete, const queue::Core& core, Now now) const;
  // Which connections a broker without a bug sends to.
  void note_session(const wire::Hello& hello, server::Route route, wire::Request request);
  void note_welcome(server::Route route, wire::Request request);
  [[nodiscard]] bool forge_cancelled(server::Route route, const wire::Message& message, const queue::Core& core, Now now);
  [[nodiscard]] bool rewrite_answer(server::Route route, wire::Message& message, Frames& out);
  void forge(wire::Admin& admin) const;
  // True: kept for later, or sent in another order.
  [[nodiscard]] bool hold_back(server::Route route, const wire::Dispatch& dispatch, const std::string& bytes, Frames& out);
  void release_old(Frames& out);
  void send_again(server::Route route, const wire::Message& completed, Frames& out);

  Canary canary_;
  Dice dice_;
  Frames forged_;
  wire::Decoder decoder_;
  std::map<server::Route, Uuid> workers_;  // with a session
  std::map<std::pair<server::Route, wire::Request>, Uuid> hellos_;
  std::map<JobId, Millis> expiries_;         // as submitted
  std::map<JobId, std::string> dispatched_;  // the last DISPATCH that had the job
  struct HeldBack {
    server::Route route = 0;
    std::string bytes;
    std::uint64_t since = 0;  // in frames that went out
  };
  std::map<JobId, HeldBack> held_back_;
  std::uint64_t frames_out_ = 0;
  std::map<std::pair<server::Route, wire::Request>, std::vector<JobId>> succeeding_;
  std::set<queue::Sequence> lost_;  // jobs whose changes are not written any more
};

}  // namespace rota::sim
