#pragma once

#include <absl/container/btree_set.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "broker/queue/core.h"
#include "broker/queue/found_jobs.h"
#include "broker/queue/job_table.h"
#include "broker/queue/key_table.h"
#include "broker/queue/lane_table.h"
#include "broker/queue/moves.h"
#include "broker/queue/transition.h"

namespace rota::queue {

// Everything that a core knows. One source per group of functions: state_moves, submit, complete, control (cancel, retry,
// purge, pause), hello, leases, dispatch, exclusive, reclaim, tick, restore, views, invariants.
struct Core::State {
  State(const CoreOptions& core_options, Prng prng);

  CoreOptions options;
  Prng random;
  JobTable jobs;
  ShapeTable shapes;
  LaneTable lanes;
  KeyTable keys;
  SessionTable sessions;
  Counters counters;

  Sequence next_sequence;
  std::uint64_t next_dispatch;
  std::uint64_t live = 0;
  bool anchored = false;  // the id clock has started
  Now anchor;
  Wall look_up_through;  // ids up to here may be of the store's previous life
  std::optional<Steady> last_tick;
  Now last_now;
  std::uint32_t hellos = 0;  // marks the jobs that a HELLO listed

  DeadlineTree queues_due_steady, queues_due_wall;    // queues by their first scheduled job
  DeadlineTree expiries;                              // jobs
  DeadlineTree key_ends;                              // keys held beyond the end
  DeadlineTree leases;                                // sessions (by place) by a time not after the end of their lease
  JobIndex recent_head = kNone, recent_tail = kNone;  // finished jobs in order of finishing
  DeadlineTree recent_late;                           // finished jobs whose id is ahead of the clock, by when they go
  std::vector<JobIndex> cancelled_at_restore;
  std::vector<std::uint32_t> dirty_lanes;
  std::vector<SessionRef> touched;               // sessions whose room may have changed
  absl::btree_set<std::uint32_t> alone_classes;  // classes with jobs that must run alone
  bool alone_dirty = false, on_hold = false;     // on_hold: nothing is handed out
  std::deque<std::uint32_t> reclaiming;          // paused queues: all sessions are asked for what they have not started
  std::deque<SessionRef> returned;               // sessions that are asked so about all their queues
  std::uint64_t services = 0;                    // numbers given to Session::service
  std::size_t width = 0;                         // of all sessions
  std::uint64_t looked = 0;                      // at classes, by dispatch() or reclaim_paused() since it began
  std::vector<SessionRef> given;                 // sessions with a batch in this turn
  std::vector<std::uint32_t> shape_of_shared;    // of the submit in hand
  std::string text;                              // a reason that had to be composed; until the next call

  // --- state_moves.cc: the only place that changes a job's state, its lists and the counts --------------------------
  JobIndex begin(const JobRecord& job, std::uint32_t shape, std::size_t body_bytes, JobState state, const Into& into);
  void move(JobIndex job, Event event, const Into& into = {});
  void forget(JobIndex job);  // drops the entry, whatever its state
  void leave(JobIndex job);
  void enter(JobIndex job, const Into& into);
  void enter_ready(JobIndex job);
  void leave_ready(JobIndex job);
  void enter_running(JobIndex job, const Into& into);
  void leave_running(JobIndex job);
  void refresh_due(std::uint32_t queue);
  void arm_expiry(JobIndex job, Steady at);
  void disarm_expiry(JobIndex job);
  void touch(Session& session);
  void mark_dirty(std::uint32_t lane);
  [[nodiscard]] const Policy& policy_of(JobIndex job) const { return shapes.shape(jobs[job].shape).policy; }
  [[nodiscard]] std::uint32_t class_index_of(JobIndex job) const { return shapes.shape(jobs[job].shape).dispatch_class; }
  DispatchClass& class_of(JobIndex job) { return shapes.dispatch_class(class_index_of(job)); }
  [[nodiscard]] const DispatchClass& class_of(JobIndex job) const { return shapes.dispatch_class(class_index_of(job)); }
  [[nodiscard]] QueueView queue_view(const QueueState& queue, Now now) const;
  QueueState& queue_of(JobIndex job) { return shapes.queue(class_of(job).queue); }
  [[nodiscard]] const QueueState& queue_of(JobIndex job) const { return shapes.queue(class_of(job).queue); }

  // --- outcomes.cc: what happens to a job, with its changes ---------------------------------------------------------
  void finish(JobIndex job, const Ending& ending, Now now, Effects& out);
  void requeue(JobIndex job, bool lost, Now now, Effects& out);  // a running one
  void emit(JobIndex job, ChangeBody body, Effects& out);
  void emit_state(JobIndex job, Wall run_at, std::string_view report, Effects& out);
  void emit_lease(JobIndex job, Now now, Effects& out);
  [[nodiscard]] bool is_forgotten(JobIndex job) const;
  [[nodiscard]] bool has_expired(JobIndex job, Now now) const;
  [[nodiscard]] bool never_expires(JobIndex job) const;
  void settle_key(JobIndex job, Now now);
  [[nodiscard]] Wall run_at_of(JobIndex job, Now now) const;
  ItemReply reply_of(JobIndex job, Code code, std::string_view reason, Now now) const;

  // --- submit.cc ----------------------------------------------------------------------------------------------------
  ItemReply submit_one(const Submit& command, const SubmitItem& item, const FoundJobs& found, Now now, Effects& out);
  ItemReply accept(const Submit& command, const SubmitItem& item, Now now, Effects& out);
  std::optional<ItemReply> refuse_new(const SubmitShared& shared, const SubmitItem& item, Now now) const;
  std::optional<ItemReply> answer_by_key(const SubmitShared& shared, const SubmitItem& item, Now now) const;
  std::uint32_t intern_shape(const SharedRecord& shared, std::size_t most_types = limits::kMaxTypesPerQueue);
  void release_shape(std::uint32_t shape);

  // --- complete.cc --------------------------------------------------------------------------------------------------
  Code complete_one(const CompletionItem& item, const FoundJobs& found, Now now, bool& stored, Effects& out);
  void consume(JobIndex job, const CompletionItem& item, Now now, Effects& out);
  void attempt_failed(JobIndex job, const CompletionItem& item, Wall started_at, Now now, Effects& out);
  void attempt_lost(JobIndex job, Now now, Effects& out);

  // --- control.cc ---------------------------------------------------------------------------------------------------
  ItemReply cancel_one(const JobId& id, const FoundJobs& found, Now now, Effects& out);
  ItemReply retry_one(const RetryItem& item, const FoundJobs& found, Now now, Effects& out);
  ItemReply revive_recent(JobIndex job, Now now, Effects& out);
  ItemReply revive_found(const FinishedJob& found, Now now, Effects& out);
  void leave_key_end(std::uint32_t key);
  void emit_revived(JobIndex job, Sequence old, Now now, Effects& out);
  // --- purge.cc
  std::uint64_t purge_ready(std::uint32_t queue, Sequence through, std::uint64_t most, bool& more, Effects& out);
  std::uint64_t purge_scheduled(std::uint32_t queue, Sequence through, std::uint64_t most, bool& more, Effects& out);
  void purge_job(JobIndex job, Effects& out);
  bool forget_finished(const FinishedJob& finished, Effects& out);
  void release_key_end(const FinishedJob& finished);

  // --- hello.cc, leases.cc ------------------------------------------------------------------------------------------
  std::optional<std::string_view> name_conflict(const WorkerHello& hello, Now now, Effects& out);
  std::optional<std::string_view> no_room_for(const WorkerHello& hello, const Session* known) const;
  void adopt(Session& session, const WorkerHello& hello, Now now);
  void resend_requests(Session& session, Effects& out);
  void serve(Session& session, const WorkerHello& hello);
  void join(Session& session, std::uint32_t queue, std::uint32_t weight);
  void leave_lanes(Session& session);
  struct Reattaching;
  void reattach_listed(Session& session, const WorkerHello& hello, WorkerWelcomed& welcome, Now now, Effects& out);
  Code reattach(Reattaching& to, const TokenOf& token, bool finished, Now now, Effects& out);
  void requeue_unlisted(Session& session, Now now, Effects& out);
  void contact(Session& session, Now now);
  void note_started(Session& session, std::uint64_t started_through, std::uint32_t credit);
  // `slots_count`: the first unstarted ones, as many as it has slots, count as started.
  void end_session(Session& session, bool slots_count, std::string_view reason, Now now, Effects& out);
  [[nodiscard]] static bool proves_dead(const Session& old, const WorkerHello& hello);

  // --- dispatch.cc, exclusive.cc, reclaim.cc ------------------------------------------------------------------------
  void dispatch(Now now, Effects& out);
  void settle_touched(Now now, Effects& out);
  void join_rings(Session& session);
  void join_credit(Lane& lane, Session& session, std::uint32_t at);
  void leave_credit(Lane& lane, Session& session, std::uint32_t at);
  void leave_slots(Lane& lane, ServedLane& served);
  // Until `looked` has reached `looks`. False: there was more to give.
  bool fill_slots(Lane& lane, std::uint64_t looks, std::uint32_t& budget, Now now, Effects& out);
  bool fill_credit(Lane& lane, std::uint64_t looks, std::uint32_t& budget, Now now, Effects& out);
  using FillLane = bool (State::*)(Lane& lane, std::uint64_t looks, std::uint32_t& budget, Now now, Effects& out);
  bool fill_lanes(FillLane fill, std::uint32_t& budget, Now now, Effects& out);
  [[nodiscard]] Session* session_of(const RingItem& item);
  JobIndex best_in_lane(Lane& lane, bool suspects_too);
  JobIndex pick(Session& session, bool suspects_too);
  void give(Session& session, JobIndex job, Now now, Effects& out);
  void send_given(Now now, Effects& out);
  void note_overfull(Session& session);
  void reserve_workers(Now now, Effects& out);
  void reserve_for_class(std::uint32_t index, Effects& out);
  bool reserve_for(DispatchClass& in, JobIndex job, Effects& out);
  void start_alone(Session& session, Now now, Effects& out);
  void unreserve(Session& session, bool back_to_class);
  // False: the turn was over before all were asked.
  bool reclaim_for(Lane& lane, Effects& out);
  // Asks for up to `most` unstarted jobs, newest first.
  std::uint32_t ask_back(Session& session, std::uint32_t most, const AskedBack& which, Effects& out);
  void ask_for_paused(Session& session, std::uint32_t queue, Effects& out);
  void reclaim_paused(Effects& out);
  void start_reclaiming(std::uint32_t queue);

  // --- tick.cc ------------------------------------------------------------------------------------------------------
  void start_clock(Now now);
  [[nodiscard]] Wall id_clock(Now now) const;
  void extend_leases(Now now);
  void end_leases(Now now, Effects& out);
  void end_waits(DeadlineTree& queues, bool wall, std::int64_t now_ms);
  void end_expiries(Now now, Effects& out);
  void end_keys(Now now);
  void drop_recents(Now now);

  // --- restore.cc ---------------------------------------------------------------------------------------------------
  void restore_state(JobIndex job, const LiveJob& from, Now now);
  SessionRef restore_lease(JobIndex job, const LeaseRecord& lease, Now now);
  void restart_in(JobIndex job, JobState state, const Into& into);

  // --- invariants.cc ------------------------------------------------------------------------------------------------
  void check_jobs() const;
  void check_sessions() const;
  void check_lanes() const;
  void check_slots(const Lane& lane) const;
};

}  // namespace rota::queue
