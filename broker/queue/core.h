#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/change.h"
#include "broker/queue/command.h"
#include "broker/queue/counters.h"
#include "broker/queue/message.h"
#include "broker/queue/survey.h"
#include "common/base/prng.h"

namespace rota::queue {

// What one call decided. Reused between calls: clear() keeps the capacity.
struct Effects {
  std::vector<Change> changes;
  std::vector<Message> messages;
  // Flat arrays that messages point into.
  std::vector<ItemReply> item_replies;
  std::vector<DispatchItem> dispatches;
  std::vector<Code> codes;
  std::vector<TokenOf> tokens;

  void clear();
};

struct CoreOptions {
  std::uint64_t epoch = 1;          // raised by the store at each opening
  std::uint64_t next_sequence = 1;  // above every one ever given
  std::uint64_t next_dispatch = 1;
  Wall last_id_clock;  // the id clock's last stored value
  Millis lease = limits::kDefaultLease;
  Millis reattach = limits::kDefaultReattach;
  Millis dedup_window = limits::kDefaultDedupWindow;
  Millis recent_horizon = limits::kRecentHorizon;
  Slot first_slot = 0;  // the slots this shard owns
  Slot last_slot = 4095;
};

// A live or recently finished job, for status.
struct JobView {
  JobId id;
  Sequence sequence = 0;
  std::string_view queue, type, key;
  JobState state = JobState::ready;
  bool cancel_requested = false;
  std::int8_t priority = 0;
  std::uint32_t attempts = 0;  // with the running one
  std::uint32_t failures = 0;
  std::uint8_t losses = 0;
  Policy policy;
  Wall created_at, run_at, started_at;  // ms 0: does not apply
  std::string_view worker;              // running: on whom
  Token token;                          // running: of its dispatch
  bool served = false;                  // a connected worker serves its queue and type
};
struct QueueView {
  std::string_view queue;
  bool paused = false;
  std::uint64_t by_state[kJobStateCount] = {};   // live states now; final ones since start
  std::optional<Millis> oldest_ready;            // age of the job that has been in the queue longest among the next ones
  std::uint64_t accepted = 0, dispatched = 0;    // since start
  double submits_per_s = 0, finishes_per_s = 0;  // jobs accepted and jobs ended, over about the last ten seconds
  std::uint32_t workers = 0;                     // sessions that serve it
};
struct WorkerView {
  SessionRef session = kNoSession;
  Uuid uuid;
  std::string_view name, host;
  std::uint64_t pid = 0;
  std::uint32_t slots = 0, credit = 0, running = 0, held = 0;
  bool draining = false;
  Millis lease_left{0};
};
// Which queues or workers to visit: at most so many, from this place on.
struct Page {
  std::uint32_t first = 0;
  std::uint32_t most = UINT32_MAX;
};

// The queue of one shard: a pure, deterministic state machine (docs/architecture.md). Knows no socket, clock, disk, thread
// or global; time and randomness come in. Many can live in one process. Not thread-safe. No call is O(jobs).
//
// Contract: messages may be sent only after the store has committed the changes of the same Effects and all before.
// Order within a turn: apply() every command, then tick() once, which ends leases and waits that are over and dispatches.
class Core {
 public:
  Core(const CoreOptions& options, Prng prng);
  ~Core();
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;

  // Before the first command only: takes over a stored live job. Any order. Leases are held for `reattach` from `now`.
  void restore(const LiveJob& job, Now now);
  void restore_paused(std::string_view queue);

  // Each appends to `out`.
  void apply(const Submit& command, Now now, Effects& out);
  void apply(const Cancel& command, Now now, Effects& out);
  void apply(const Retry& command, Now now, Effects& out);
  void apply(const Purge& command, Now now, Effects& out);
  void apply(const ForgetFinished& command, Now now, Effects& out);
  void apply(const Pause& command, Now now, Effects& out);
  void apply(const WorkerHello& command, Now now, Effects& out);
  void apply(const Complete& command, Now now, Effects& out);
  void apply(const Renew& command, Now now, Effects& out);
  void apply(const WorkerHeard& command, Now now, Effects& out);
  void apply(const Released& command, Now now, Effects& out);
  void apply(const WorkerUnreachable& command, Now now, Effects& out);
  void apply(const WorkerGoodbye& command, Now now, Effects& out);
  void apply(const DrainWorker& command, Now now, Effects& out);
  // Time passes. Also extends every lease by the gap if the last tick was longer ago than a third of the lease (the broker
  // itself stalled). Bounded work a call: if more is left, next_deadline() is not after `now`.
  void tick(Now now, Effects& out);

  // The DISPATCH frames of that session have left the broker, up to this dispatch number: those of its memory jobs, or the
  // others. What has not left when a session ends was not lost with it: its jobs are charged nothing.
  void dispatch_left(SessionRef session, std::uint64_t through, bool in_memory);

  // While on hold nothing is handed out; everything else goes on.
  void hold_dispatch(bool on_hold);

  // When tick() has something to do next.
  [[nodiscard]] Steady next_deadline() const;
  // The broker's id clock: never behind what was stored, runs on steady time.
  [[nodiscard]] Wall id_clock(Now now) const;
  // An id older than this and unknown to the core must be looked up in the store before apply (Submit::found ...).
  [[nodiscard]] bool must_look_up(const JobId& id, Now now) const;
  [[nodiscard]] bool knows(const JobId& id) const;
  [[nodiscard]] std::optional<JobView> view(const JobId& id, Now now) const;
  [[nodiscard]] bool is_paused(std::string_view queue) const;
  // It has, or had since the start, jobs or workers.
  [[nodiscard]] bool knows_queue(std::string_view queue) const;
  // A slice of a search over all jobs held: some thousands of them are looked at.
  void survey(Survey& survey);
  // Visit `page` of the queues or workers in a fixed order and return the place after the last one visited; 0 if that was
  // all. Queues stay in their places; a worker's place is used again after it left.
  std::uint32_t each_queue(Now now, const std::function<void(const QueueView&)>& visit, Page page = {}) const;
  std::uint32_t each_worker(Now now, const std::function<void(const WorkerView&)>& visit, Page page = {}) const;
  [[nodiscard]] const Counters& counters() const;
  [[nodiscard]] std::uint64_t live_jobs() const;
  [[nodiscard]] std::size_t index_bytes() const;  // held by the job table
  [[nodiscard]] Sequence last_sequence() const;

  // Stops the process if anything contradicts. O(jobs): for tests and the simulator.
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rota::queue
