// A worker says HELLO: who it is, what it serves, and which jobs it still has.
#include <algorithm>

#include "broker/queue/core_state.h"
#include "common/base/peer_limits.h"

namespace rota::queue {

// The tokens of a HELLO, in order of dispatch.
struct Core::State::Reattaching {
  Session& session;
  const FoundJobs& found;
  JobIndex last = kNone;  // the job re-attached last: the next one belongs behind it
};

bool Core::State::proves_dead(const Session& old, const WorkerHello& hello) {
  if (old.host != hello.host) return false;
  // The HELLO of an older connection, carried out late because it waited for the store: its own process may be the dead
  // one.
  if (hello.route < old.route) return false;
  if (old.boot_id != hello.boot_id) return true;
  return old.pid == hello.pid && old.start_time != hello.start_time;
}

std::optional<std::string_view> Core::State::name_conflict(const WorkerHello& hello, Now now, Effects& out) {
  Session* old = sessions.find_name(hello.name);
  if (old == nullptr || old->uuid == hello.session) return std::nullopt;
  if (proves_dead(*old, hello)) {
    end_session(*old, true, "replaced", now, out);
    return std::nullopt;
  }
  text = "the name " + old->name + " is held by a live worker on host " + old->host + " (pid " + std::to_string(old->pid) +
         "); choose another name, or wait until its lease ends";
  return text;
}

std::optional<std::string_view> Core::State::no_room_for(const WorkerHello& hello, const Session* known) const {
  if (known == nullptr && sessions.size() >= limits::kMaxWorkers) {
    return "this broker serves as many workers as it can; try again later";
  }
  const std::size_t of_others = width - (known != nullptr ? known->width : 0);
  if (of_others + hello.queues.size() + hello.types.size() > limits::kMaxServed) {
    return "the workers of this broker serve as many queues and types as it can hold; let each serve fewer, or try again "
           "later";
  }
  return std::nullopt;
}

void Core::apply(const WorkerHello& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  Session* session = s.sessions.find_uuid(command.session);
  // An older socket's HELLO that came late: the newer one counts.
  if (session != nullptr && session->connected && command.connection <= session->connection) return;
  if (session == nullptr && s.sessions.has_left(command.session, command.connection)) return;
  WorkerWelcomed welcome;
  welcome.route = command.route;
  if (const auto conflict = s.name_conflict(command, now, out)) {
    welcome.code = Code::conflict;
    welcome.reason = *conflict;
    out.messages.push_back(Message{true, welcome});
    return;
  }
  if (const auto full = s.no_room_for(command, session)) {
    welcome.code = Code::retry_later;
    welcome.reason = *full;
    out.messages.push_back(Message{true, welcome});
    return;
  }
  if (session == nullptr) {
    session = s.sessions.add(command.session);
    ROTA_CHECK(session != nullptr);
    session->lease_key = (now.steady + s.options.lease).ms;
    s.leases.insert(session->lease_key, session->ref & 0xFFFFU);
  }
  s.adopt(*session, command, now);
  ++s.hellos;
  for (const TokenOf& token : command.started) {
    session->started_through = std::max(session->started_through, token.token.dispatch);
  }
  // What it lists has arrived, the rest is requeued: either way it is settled.
  for (std::uint64_t& through : session->left_through) through = s.next_dispatch - 1;
  welcome.session = session->ref;
  s.reattach_listed(*session, command, welcome, now, out);
  out.messages.push_back(Message{false, welcome});
  s.requeue_unlisted(*session, now, out);
  s.resend_requests(*session, out);
  s.touch(*session);
  s.alone_dirty = true;
}

void Core::State::adopt(Session& session, const WorkerHello& hello, Now now) {
  session.route = hello.route;
  session.connection = hello.connection;
  session.connected = true;
  if (session.name != hello.name) sessions.set_name(session, hello.name);
  session.host = hello.host;
  session.boot_id = hello.boot_id;
  session.pid = hello.pid;
  session.start_time = hello.start_time;
  session.slots = std::clamp(hello.slots, 1U, limits::kMaxSlots);
  session.credit = std::min(hello.credit, limits::kMaxCredit);
  session.draining = hello.draining || session.drain_asked;
  contact(session, now);
  serve(session, hello);
}

void Core::State::serve(Session& session, const WorkerHello& hello) {
  std::vector<std::uint32_t> types;
  types.reserve(hello.types.size());
  for (const std::string_view type : hello.types) types.push_back(shapes.intern_type(type));
  std::sort(types.begin(), types.end());
  for (std::size_t i = 1; i < types.size();) {
    if (types[i] != types[i - 1]) {
      ++i;
      continue;
    }
    shapes.release_type(types[i]);
    types.erase(types.begin() + static_cast<std::ptrdiff_t>(i));
  }
  const std::uint32_t set = lanes.intern_types(shapes, std::move(types));
  leave_lanes(session);
  if (session.type_set != kNone) lanes.release_types(shapes, session.type_set);
  session.type_set = set;
  width -= session.width;
  session.width = static_cast<std::uint32_t>(hello.queues.size() + hello.types.size());
  width += session.width;
  for (const ServedQueue& queue : hello.queues) {
    const std::uint32_t index = shapes.intern_queue(queue.name);
    if (index != kNone) join(session, index, queue.weight);
  }
}

void Core::State::join(Session& session, std::uint32_t queue, std::uint32_t weight) {
  const std::uint32_t index = lanes.intern(shapes, queue, session.type_set);
  Lane& lane = lanes[index];
  for (ServedLane& served : session.lanes) {
    if (served.lane == index) return;  // named twice: the first weight counts
  }
  ServedLane served;
  served.lane = index;
  served.weight = std::clamp(weight, 1U, limits::kMaxQueueWeight);
  served.pass = session.virtual_pass;
  served.member = static_cast<std::uint32_t>(lane.members.size());
  lane.members.push_back(session.ref);
  ++shapes.queue(queue).members;
  session.lanes.push_back(served);
}

void Core::State::leave_lanes(Session& session) {
  for (std::uint32_t at = 0; at < session.lanes.size(); ++at) {
    ServedLane& served = session.lanes[at];
    Lane& lane = lanes[served.lane];
    leave_credit(lane, session, at);
    leave_slots(lane, served);
    QueueState& queue = shapes.queue(lane.queue);
    --queue.members;
    if (session.overfull) queue.overfull.erase(session.ref);
    const SessionRef last = lane.members.back();
    lane.members[served.member] = last;
    lane.members.pop_back();
    if (last != session.ref) {
      Session& moved = *sessions.find(last);
      for (ServedLane& other : moved.lanes) {
        if (other.lane == served.lane) other.member = served.member;
      }
    }
    if (lane.members.empty()) {
      if (lane.dirty) std::erase(dirty_lanes, served.lane);
      lanes.erase(shapes, served.lane);
    }
  }
  session.overfull = false;
  session.lanes.clear();
  session.service = ++services;
}

void Core::State::reattach_listed(Session& session, const WorkerHello& hello, WorkerWelcomed& welcome, Now now,
                                  Effects& out) {
  struct Listed {
    const TokenOf* token;
    std::uint32_t answer;  // index into Effects::codes
    bool finished;
  };
  std::vector<Listed> listed;
  listed.reserve(hello.started.size() + hello.held.size() + hello.finished.size());
  const auto list = [&](std::span<const TokenOf> tokens, bool finished) {
    const auto first = static_cast<std::uint32_t>(out.codes.size());
    for (const TokenOf& token : tokens) {
      listed.push_back({&token, static_cast<std::uint32_t>(out.codes.size()), finished});
      out.codes.push_back(Code::ok);
    }
    return Range{first, static_cast<std::uint32_t>(tokens.size())};
  };
  welcome.started = list(hello.started, false);
  welcome.held = list(hello.held, false);
  welcome.finished = list(hello.finished, true);
  // However a worker lists its jobs: the session's list, which is in this order, is then passed once for all of them.
  std::stable_sort(listed.begin(), listed.end(),
                   [](const Listed& a, const Listed& b) { return a.token->token.dispatch < b.token->token.dispatch; });
  const FoundJobs found(hello.found);
  Reattaching to{session, found};
  for (const Listed& one : listed) {
    const Code code = reattach(to, *one.token, one.finished, now, out);
    out.codes[one.answer] = code;
    // A run or completion that comes too late is one, whether it comes by itself or is named in a HELLO first.
    if (code == Code::stale) ++counters.stale;
    if (code == Code::gone) ++counters.gone;
  }
}

Code Core::State::reattach(Reattaching& to, const TokenOf& token, bool finished, Now now, Effects& out) {
  const JobIndex job = jobs.find(token.id);
  if (job == kNone) {
    const FinishedJob* known = to.found.find(token.id);
    if (known == nullptr) return Code::gone;
    return finished && known->outcome.consumed == token.token && !token.token.is_none() ? Code::ok : Code::stale;
  }
  JobDetail* detail = jobs.detail(job);
  if (detail == nullptr) return Code::stale;
  if (!detail->token_open || detail->token != token.token) {
    // Its completion counted and only the answer was lost: it may ask again and is told so.
    const bool counted = finished && !token.token.is_none() && detail->consumed == token.token;
    return counted ? Code::ok : Code::stale;
  }
  if (jobs[job].state == JobState::running) {
    if (detail->session != to.session.ref) return Code::stale;
  } else {
    // Its lease had ended, and nobody else was given it: the worker has it again.
    move(job, Event::reattach, {0, false, to.session.ref, to.last});
    emit_lease(job, now, out);
  }
  to.last = job;
  detail->hello = hellos;
  if (detail->reclaim_asked) {
    detail->reclaim_asked = false;  // the request may have been lost with the connection
    --to.session.asked;
  }
  return Code::ok;
}

void Core::State::requeue_unlisted(Session& session, Now now, Effects& out) {
  for (JobIndex job = session.head; job != kNone;) {
    const JobIndex next = jobs[job].next;
    if (jobs.detail(job)->hello != hellos) requeue(job, false, now, out);
    job = next;
  }
}

// What was asked of the worker on an older connection may never have arrived.
void Core::State::resend_requests(Session& session, Effects& out) {
  const auto first = static_cast<std::uint32_t>(out.tokens.size());
  bool paused = false;
  for (JobIndex job = session.head; job != kNone; job = jobs[job].next) {
    if (jobs[job].cancel_requested) out.tokens.push_back({jobs[job].id, jobs.detail(job)->token});
    paused = paused || queue_of(job).paused;
  }
  if (const auto count = static_cast<std::uint32_t>(out.tokens.size()) - first; count > 0) {
    out.messages.push_back(Message{false, CancelRequest{session.ref, {first, count}}});
  }
  if (session.drain_asked) out.messages.push_back(Message{false, DrainRequest{session.ref}});
  if (paused && !session.returned) {
    session.returned = true;
    returned.push_back(session.ref);
  }
}

}  // namespace rota::queue
