// What people may see.
#include "broker/queue/core_state.h"

namespace rota::queue {

Wall Core::id_clock(Now now) const { return state_->id_clock(now); }
const Counters& Core::counters() const { return state_->counters; }
std::uint64_t Core::live_jobs() const { return state_->live; }
std::size_t Core::index_bytes() const { return state_->jobs.bytes(); }
Sequence Core::last_sequence() const { return state_->next_sequence - 1; }
bool Core::knows(const JobId& id) const { return state_->jobs.find(id) != kNone; }

bool Core::must_look_up(const JobId& id, Now now) const {
  const Wall made = time_of(id);
  const bool old = made <= id_clock(now) - state_->options.recent_horizon || made <= state_->look_up_through;
  return old && !knows(id);
}

std::optional<JobView> Core::view(const JobId& id, Now now) const {
  const State& s = *state_;
  const JobIndex job = s.jobs.find(id);
  if (job == kNone || s.is_forgotten(job)) return std::nullopt;
  const JobEntry& entry = s.jobs[job];
  const JobDetail* detail = s.jobs.detail(job);
  const DispatchClass& in = s.class_of(job);
  JobView view;
  view.id = entry.id;
  view.sequence = entry.sequence;
  view.queue = s.shapes.queue(in.queue).name;
  view.type = s.shapes.type(in.type);
  if (detail != nullptr && detail->key != kNone) view.key = s.keys[detail->key].text;
  view.state = entry.state;
  view.cancel_requested = entry.cancel_requested;
  view.priority = entry.priority;
  view.attempts = entry.attempts;
  view.failures = detail == nullptr ? 0 : detail->failures;
  view.losses = entry.losses;
  view.policy = s.policy_of(job);
  view.created_at = entry.created_at;
  view.run_at = s.run_at_of(job, now);
  view.served = !in.lanes.empty();  // a lane has members
  if (entry.state == JobState::running) {
    view.attempts += detail->charged ? 0U : 1U;
    view.started_at = detail->leased_at;
    view.token = detail->token;
    view.worker = s.sessions.find(detail->session)->name;
  }
  return view;
}

bool Core::is_paused(std::string_view queue) const {
  const std::uint32_t at = state_->shapes.find_queue(queue);
  return at != kNone && state_->shapes.queue(at).paused;
}

QueueView Core::State::queue_view(const QueueState& queue, Now now) const {
  QueueView view;
  view.queue = queue.name;
  view.paused = queue.paused;
  std::copy(std::begin(queue.counts), std::end(queue.counts), std::begin(view.by_state));
  view.accepted = queue.accepted;
  view.dispatched = queue.dispatched;
  view.submits_per_s = queue.submits.per_second(now.steady);
  view.finishes_per_s = queue.finishes.per_second(now.steady);
  view.workers = queue.members;
  for (const std::uint32_t in : queue.classes) {
    const DispatchClass& one = shapes.dispatch_class(in);
    for (const ReadyQueue* ready : {&one.ready, &one.suspects, &one.alone}) {
      if (ready->empty()) continue;
      const Millis age = now.wall - jobs[ready->best(jobs)].created_at;
      if (!view.oldest_ready || age > *view.oldest_ready) view.oldest_ready = std::max(age, Millis{0});
    }
  }
  return view;
}

std::uint32_t Core::each_queue(Now now, const std::function<void(const QueueView&)>& visit, Page page) const {
  const State& s = *state_;
  std::uint32_t place = page.first;
  for (std::uint32_t left = page.most; left > 0 && place < s.shapes.queues(); --left, ++place) {
    visit(s.queue_view(s.shapes.queue(place), now));
  }
  return place < s.shapes.queues() ? place : 0;
}

std::uint32_t Core::each_worker(Now now, const std::function<void(const WorkerView&)>& visit, Page page) const {
  return state_->sessions.each_from(page.first, page.most, [&](const Session& session) {
    WorkerView view;
    view.session = session.ref;
    view.uuid = session.uuid;
    view.name = session.name;
    view.host = session.host;
    view.pid = session.pid;
    view.slots = session.slots;
    view.credit = session.credit;
    view.running = std::min(session.unfinished, session.slots);
    view.held = session.unfinished - view.running;
    view.draining = session.draining;
    view.lease_left = std::max(session.lease_until - now.steady, Millis{0});
    visit(view);
  });
}

}  // namespace rota::queue
