// Stops the process if what the core holds contradicts itself.
#include <algorithm>
#include <set>

#include "broker/queue/core_state.h"

namespace rota::queue {

void Core::check_invariants() const {
  state_->check_jobs();
  state_->check_sessions();
  state_->check_lanes();
}

void Core::State::check_jobs() const {
  std::vector<std::array<std::uint64_t, kJobStateCount>> counts(shapes.queues());
  std::uint64_t alive = 0;
  std::uint64_t finished = 0;
  std::set<Sequence> sequences;
  jobs.each([&](JobIndex job) {
    const JobEntry& entry = jobs[job];
    const JobDetail* detail = jobs.detail(job);
    const DispatchClass& in = class_of(job);
    const QueueState& queue = shapes.queue(in.queue);
    ROTA_CHECK(jobs.find(entry.id) == job);
    ROTA_CHECK(entry.sequence != 0 && entry.sequence < next_sequence);
    ROTA_CHECK(sequences.insert(entry.sequence).second);
    ++counts[in.queue][static_cast<std::size_t>(entry.state)];
    if (is_final(entry.state)) {
      ++finished;
      ROTA_CHECK(detail != nullptr && !detail->token_open && !detail->expiry_armed && detail->session == kNoSession);
      return;
    }
    ++alive;
    if (entry.state == JobState::scheduled) {
      ROTA_CHECK((entry.wall_due ? queue.due_wall : queue.due_steady).contains(entry.due(), job));
    }
    if (entry.state == JobState::running) {
      ROTA_CHECK(detail != nullptr && detail->token_open && sessions.find(detail->session) != nullptr);
    }
    if (entry.state == JobState::ready && detail != nullptr && detail->session != kNoSession) {
      ROTA_CHECK(sessions.find(detail->session)->reserved == job);
    }
    if (detail != nullptr && detail->expiry_armed) ROTA_CHECK(expiries.contains(detail->expires_at.ms, job));
    if (detail != nullptr && detail->key != kNone) {
      ROTA_CHECK(keys[detail->key].held && keys[detail->key].job == job && keys[detail->key].queue == in.queue);
    }
    if (detail != nullptr && detail->token_open) ROTA_CHECK(detail->token != detail->consumed);
  });
  ROTA_CHECK(alive == live);
  std::uint64_t recents = recent_late.size();
  JobIndex before = kNone;
  for (JobIndex job = recent_head; job != kNone; job = jobs[job].next) {
    ROTA_CHECK(is_final(jobs[job].state) && jobs[job].prev == before);
    before = job;
    ++recents;
  }
  ROTA_CHECK(before == recent_tail && recents == finished);
  for (std::uint32_t i = 0; i < shapes.queues(); ++i) {
    const QueueState& queue = shapes.queue(i);
    for (std::size_t state = 0; state < kJobStateCount; ++state) {
      if (is_final(static_cast<JobState>(state))) continue;
      ROTA_CHECK(queue.counts[state] == counts[i][state]);
    }
    ROTA_CHECK(queue.due_steady.size() + queue.due_wall.size() == counts[i][static_cast<std::size_t>(JobState::scheduled)]);
    ROTA_CHECK(queue.known_steady == queue.due_steady.earliest() && queue.known_wall == queue.due_wall.earliest());
  }
}

void Core::State::check_sessions() const {
  std::size_t served = 0;
  sessions.each([&](const Session& session) {
    ROTA_CHECK(leases.contains(session.lease_key, session.ref & 0xFFFFU) && session.lease_key <= session.lease_until.ms);
    std::uint32_t count = 0;
    std::uint32_t asked = 0;
    std::uint64_t bytes = 0;
    JobIndex before = kNone;
    for (JobIndex job = session.head; job != kNone; job = jobs[job].next) {
      const JobDetail& detail = *jobs.detail(job);
      ROTA_CHECK(jobs[job].state == JobState::running && detail.session == session.ref && jobs[job].prev == before);
      if (before != kNone) ROTA_CHECK(jobs.detail(before)->token.dispatch <= detail.token.dispatch);
      before = job;
      ++count;
      asked += detail.reclaim_asked ? 1U : 0U;
      bytes += jobs[job].body_bytes();
    }
    ROTA_CHECK(before == session.tail && count == session.unfinished && asked == session.asked && bytes == session.bytes);
    if (session.reserved != kNone) {
      ROTA_CHECK(jobs[session.reserved].state == JobState::ready && jobs[session.reserved].losses >= 2);
    }
    if (session.exclusive != kNone) ROTA_CHECK(session.head == session.exclusive || session.unfinished > 0);
    for (const ServedLane& lane : session.lanes) ROTA_CHECK(lanes[lane.lane].members[lane.member] == session.ref);
    served += session.width;
  });
  ROTA_CHECK(served == width);
}

void Core::State::check_lanes() const {
  std::vector<bool> reclaimed(shapes.queues());
  for (const std::uint32_t queue : reclaiming) {
    ROTA_CHECK(!reclaimed[queue]);
    reclaimed[queue] = true;
  }
  std::vector<std::uint64_t> reserved(shapes.queues());  // jobs for which a worker runs empty, by queue
  sessions.each([&](const Session& session) {
    if (session.reserved != kNone) ++reserved[class_of(session.reserved).queue];
  });
  for (std::uint32_t i = 0; i < shapes.queues(); ++i) {
    const QueueState& queue = shapes.queue(i);
    std::uint64_t ready = 0;
    for (const std::uint32_t in : queue.classes) {
      const DispatchClass& one = shapes.dispatch_class(in);
      ROTA_CHECK(one.queue == i && queue.classes[one.place] == in);
      const auto serving = std::count_if(queue.lanes.begin(), queue.lanes.end(),
                                         [&](std::uint32_t lane) { return lanes.serves(lanes[lane].type_set, one.type); });
      ROTA_CHECK(static_cast<std::size_t>(serving) == one.lanes.size());
      const auto check = [&](const ReadyQueue& of, std::uint8_t least, std::uint8_t most) {
        std::uint64_t count = 0;
        of.each(jobs, [&](JobIndex job) {
          ROTA_CHECK(jobs[job].state == JobState::ready && class_index_of(job) == in);
          ROTA_CHECK(jobs[job].losses >= least && jobs[job].losses <= most);
          ++count;
        });
        ROTA_CHECK(count == of.size());
        ready += count;
      };
      check(one.ready, 0, 0);
      check(one.suspects, 1, 1);
      check(one.alone, 2, 255);
      ROTA_CHECK(alone_classes.contains(in) == !one.alone.empty());
      for (const std::uint32_t lane : one.lanes) {
        const std::vector<std::uint32_t>& active = lanes[lane].active;
        const bool listed = std::find(active.begin(), active.end(), in) != active.end();
        ROTA_CHECK(listed || (one.ready.empty() && one.suspects.empty()));
      }
    }
    ROTA_CHECK(ready + reserved[i] == queue.counts[static_cast<std::size_t>(JobState::ready)]);
    std::uint32_t members = 0;
    for (const std::uint32_t lane : queue.lanes) {
      ROTA_CHECK(lanes[lane].queue == i && !lanes[lane].members.empty());
      members += static_cast<std::uint32_t>(lanes[lane].members.size());
      check_slots(lanes[lane]);
      for (const CreditItem& one : lanes[lane].free_credit) {
        const Session* session = sessions.find(one.item.session);
        ROTA_CHECK(session != nullptr && session->lanes[one.item.at].lane == lane);
        ROTA_CHECK(session->lanes[one.item.at].in_credit && session->lanes[one.item.at].credit_load == one.load);
      }
    }
    ROTA_CHECK(members == queue.members);
    for (const SessionRef ref : queue.overfull) ROTA_CHECK(sessions.find(ref) != nullptr);
    ROTA_CHECK(queue.reclaiming == reclaimed[i]);
  }
}

void Core::State::check_slots(const Lane& lane) const {
  std::size_t voids = 0;
  for (std::size_t i = 0; i < lane.free_slots.size(); ++i) {
    const RingItem& item = lane.free_slots.peek(i);
    const Session* session = sessions.find(item.session);
    if (session == nullptr || session->service != item.service) {
      ++voids;
    } else {
      ROTA_CHECK(item.at < session->lanes.size() && &lanes[session->lanes[item.at].lane] == &lane);
      ROTA_CHECK(session->lanes[item.at].in_slots);
    }
  }
  ROTA_CHECK(voids == lane.void_slots && voids <= lane.members.size() + 8);
}

}  // namespace rota::queue
