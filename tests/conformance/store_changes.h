#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/queue/change.h"

// Changes in a line, with the strings that they view.
namespace rota::store::test {

inline constexpr Wall kStart{1'780'000'000'000};

inline JobId job_id(std::uint64_t number) {
  JobId id;
  id.bytes[6] = 0x70;
  id.bytes[8] = 0x80;
  for (unsigned i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(number >> (40U - 8U * i));
  for (unsigned i = 0; i < 4; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8U * i));
  return id;
}

struct Job {
  std::uint64_t number = 1;  // of the id; the sequence as well unless told
  queue::Sequence sequence = 0;
  std::string body = "body";
  std::string queue = "default";
  std::string type = "exec";
  std::string spec = "spec";
  std::string key{};
  queue::Policy policy{};
  std::int8_t priority = 0;
  [[nodiscard]] queue::Sequence at() const { return sequence != 0 ? sequence : number; }
};

// Changes with the strings that they view.
class Changes {
 public:
  Changes() = default;
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  Changes& accept(const Job& job) {
    const Job& kept = jobs_.emplace_back(job);
    queue::SharedRecord& shared = shared_.emplace_back();
    shared = {kept.queue, kept.type, kept.policy, kept.spec};
    queue::JobRecord record;
    record.sequence = kept.at();
    record.id = job_id(kept.number);
    record.content_hash = kept.number * 7919;
    record.created_at = kStart + Millis{static_cast<std::int64_t>(kept.number)};
    record.run_at = record.created_at;
    record.priority = kept.priority;
    record.key = kept.key;
    record.shared = &shared;
    record.body = kept.body;
    return add(queue::JobAccepted{record});
  }
  Changes& change(const queue::StateRecord& state) { return add(queue::JobChanged{state}); }
  Changes& lease(queue::Sequence sequence, std::uint64_t dispatch, std::uint64_t epoch = 1) {
    queue::LeaseRecord lease;
    lease.token = {epoch, dispatch};
    lease.sequence = sequence;
    lease.session.bytes[3] = 77;
    lease.slots = 4;
    lease.leased_at = kStart + Millis{5};
    return add(queue::JobLeased{lease});
  }
  Changes& end_lease(queue::Sequence sequence, std::uint64_t dispatch) {
    return add(queue::LeaseEnded{{1, dispatch}, sequence});
  }
  Changes& finish(std::uint64_t number, std::uint64_t dispatch = 0, std::string_view report = "report",
                  Wall forget_at = kStart + limits::kDefaultKeep, queue::Sequence sequence = 0,
                  JobState state = JobState::succeeded) {
    queue::OutcomeRecord outcome;
    outcome.sequence = sequence != 0 ? sequence : number;
    outcome.id = job_id(number);
    outcome.state = state;
    outcome.attempts = 1;
    if (dispatch != 0) outcome.consumed = {1, dispatch};
    outcome.started_at = kStart + Millis{10};
    outcome.finished_at = kStart + Millis{20};
    outcome.forget_at = forget_at;
    outcome.report = texts_.emplace_back(report);
    return add(queue::JobFinished{outcome, dispatch != 0 ? Token{1, dispatch} : Token{}});
  }
  Changes& revive(std::uint64_t number, queue::Sequence old_sequence, queue::Sequence new_sequence) {
    queue::StateRecord state;
    state.sequence = new_sequence;
    state.attempts = 1;
    return add(queue::JobRevived{job_id(number), old_sequence, state});
  }
  Changes& forget(std::uint64_t number, queue::Sequence sequence = 0, std::uint64_t dispatch = 0) {
    return add(queue::JobForgotten{job_id(number), sequence != 0 ? sequence : number,
                                   dispatch != 0 ? Token{1, dispatch} : Token{}});
  }
  Changes& pause(std::string_view queue, bool paused) {
    return add(queue::QueuePaused{texts_.emplace_back(queue), paused});
  }
  [[nodiscard]] const std::vector<queue::Change>& all() const { return changes_; }

 private:
  Changes& add(queue::ChangeBody body) {
    changes_.push_back({Durability::fsync, std::move(body)});
    return *this;
  }
  std::deque<Job> jobs_;
  std::deque<queue::SharedRecord> shared_;
  std::deque<std::string> texts_;
  std::vector<queue::Change> changes_;
};

}  // namespace rota::store::test
