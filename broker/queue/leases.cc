// Sessions over time: contact, renewal, the end of a lease.
#include <algorithm>

#include "broker/queue/core_state.h"

namespace rota::queue {

void Core::State::contact(Session& session, Now now) {
  session.contact_at = now.steady;
  session.lease_until = std::max(session.lease_until, now.steady + options.lease);
}

void Core::State::note_started(Session& session, std::uint64_t started_through, std::uint32_t credit) {
  session.started_through = std::max(session.started_through, started_through);
  session.credit = std::min(credit, limits::kMaxCredit);
  touch(session);
}

void Core::apply(const Renew& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  (void)out;
  Session* session = s.sessions.find(command.session);
  if (session == nullptr) return;
  s.contact(*session, now);
  s.note_started(*session, command.started_through, command.credit);
}

void Core::apply(const WorkerHeard& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  (void)out;
  Session* session = command.session != kNoSession ? s.sessions.find(command.session) : s.sessions.find_uuid(command.uuid);
  if (session != nullptr) s.contact(*session, now);
}

void Core::apply(const WorkerGoodbye& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  Session* session = s.sessions.find(command.session);
  if (session == nullptr) return;
  s.sessions.note_goodbye(*session);
  // It leaves in order, so what it started is what it said that it started.
  s.end_session(*session, false, "said goodbye", now, out);
}

void Core::apply(const WorkerUnreachable& command, Now now, Effects& out) {
  State& s = *state_;
  s.start_clock(now);
  if (Session* session = s.sessions.find(command.session); session != nullptr && session->connected) {
    if (session->reserved != kNone) s.unreserve(*session, true);
    session->connected = false;
    s.leave_lanes(*session);
    s.alone_dirty = true;
  }
  for (const TokenOf& one : command.undelivered) {
    const JobIndex job = s.jobs.find(one.id);
    if (job == kNone || s.jobs[job].state != JobState::running) continue;
    JobDetail& detail = *s.jobs.detail(job);
    if (!detail.token_open || detail.token != one.token) continue;  // given to somebody else since
    ++s.counters.released;
    detail.token_open = false;
    s.requeue(job, false, now, out);
  }
}

void Core::dispatch_left(SessionRef ref, std::uint64_t through, bool in_memory) {
  Session* session = state_->sessions.find(ref);
  if (session == nullptr) return;
  std::uint64_t& known = session->left_through[in_memory ? 1 : 0];
  known = std::max(known, through);
}

void Core::State::end_session(Session& session, bool slots_count, std::string_view reason, Now now, Effects& out) {
  if (session.reserved != kNone) unreserve(session, true);
  std::uint32_t allowed = slots_count ? session.slots : 0;
  while (session.head != kNone) {
    const JobIndex job = session.head;
    const std::uint64_t number = jobs.detail(job)->token.dispatch;
    // What still waited for its commit cannot have run, also if a memory job of a later number has left and was started.
    const bool left = number <= session.left_through[jobs[job].in_memory ? 1 : 0];
    bool started = left && number <= session.started_through;
    if (!started && left && allowed > 0) {
      started = true;
      --allowed;
    }
    requeue(job, started, now, out);
  }
  leave_lanes(session);
  if (session.type_set != kNone) lanes.release_types(shapes, session.type_set);
  width -= session.width;
  leases.erase(session.lease_key, session.ref & 0xFFFFU);
  alone_dirty = true;
  if (!session.name.empty()) out.messages.push_back(Message{false, SessionEnded{session.ref, reason}});
  sessions.erase(session.ref);
}

void Core::State::extend_leases(Now now) {
  if (!last_tick.has_value()) return;
  const Steady before = *last_tick;
  const Millis stood = options.lease / 3;
  if (now.steady - before <= stood) return;
  // We stalled, not they: what they sent meanwhile may still be on its way to us. We may have stalled within a turn too,
  // behind what it took of them.
  sessions.each([&](Session& session) {
    const Millis gap = now.steady - std::max(before, session.contact_at);
    if (gap > stood) session.lease_until = session.lease_until + gap;
  });
}

void Core::State::end_leases(Now now, Effects& out) {
  std::size_t work = 0;
  for (;;) {
    const std::uint32_t place = leases.first_due(now.steady.ms);
    if (place == kNone || work >= limits::kTurnTimers) return;
    Session& session = *sessions.at_place(place);
    if (session.lease_until > now.steady) {
      // Renewed since the tree was told.
      leases.erase(session.lease_key, place);
      session.lease_key = session.lease_until.ms;
      leases.insert(session.lease_key, place);
      ++work;
      continue;
    }
    work += 1 + session.unfinished;
    end_session(session, true, "lease ended", now, out);
  }
}

}  // namespace rota::queue
