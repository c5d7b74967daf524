#include "tests/scenario/store_model.h"

#include "common/base/check.h"

namespace rota::scenario {

using namespace queue;

StoreModel::Job& StoreModel::of(Sequence sequence) {
  const auto at = live_.find(sequence);
  ROTA_CHECK(at != live_.end());
  return *at->second;
}

void StoreModel::accept(const JobRecord& record) {
  auto job = std::make_unique<Job>();
  job->record = record;
  job->shared = *record.shared;
  job->queue = record.shared->queue;
  job->type = record.shared->type;
  job->key = record.key;
  job->body = record.body;
  job->shared.queue = job->queue;
  job->shared.type = job->type;
  job->record.shared = &job->shared;
  job->record.key = job->key;
  job->record.body = job->body;
  ROTA_CHECK(finished_.count(record.id) == 0);
  ROTA_CHECK(record.sequence > last_sequence_);
  last_sequence_ = record.sequence;
  live_.emplace(record.sequence, std::move(job));
}

void StoreModel::finish(const JobFinished& change) {
  Job& job = of(change.outcome.sequence);
  // The lease that it names is the one that was open, if one was.
  ROTA_CHECK(change.lease == (job.lease ? job.lease->token : Token{}));
  ROTA_CHECK(change.outcome.id == job.record.id && is_final(change.outcome.state));
  job.lease.reset();
  job.outcome = change.outcome;
  job.outcome->report = {};
  finished_[job.record.id] = std::move(live_.at(change.outcome.sequence));
  live_.erase(change.outcome.sequence);
}

void StoreModel::revive(const JobRevived& change) {
  const auto at = finished_.find(change.id);
  ROTA_CHECK(at != finished_.end() && at->second->record.sequence == change.old_sequence);
  ROTA_CHECK(change.state.sequence > last_sequence_);
  last_sequence_ = change.state.sequence;
  std::unique_ptr<Job> job = std::move(at->second);
  finished_.erase(at);
  job->record.sequence = change.state.sequence;
  job->state = change.state;
  job->outcome.reset();
  live_.emplace(change.state.sequence, std::move(job));
}

void StoreModel::take(const Change& change) {
  if (const auto* accepted = std::get_if<JobAccepted>(&change.body)) return accept(accepted->job);
  if (const auto* finished = std::get_if<JobFinished>(&change.body)) return finish(*finished);
  if (const auto* revived = std::get_if<JobRevived>(&change.body)) return revive(*revived);
  if (const auto* changed = std::get_if<JobChanged>(&change.body)) {
    Job& job = of(changed->state.sequence);
    job.state = changed->state;
    job.state->report = {};
  } else if (const auto* leased = std::get_if<JobLeased>(&change.body)) {
    Job& job = of(leased->lease.sequence);
    ROTA_CHECK(!job.lease);
    job.lease = leased->lease;
    last_dispatch_ = std::max(last_dispatch_, leased->lease.token.dispatch);
  } else if (const auto* ended = std::get_if<LeaseEnded>(&change.body)) {
    Job& job = of(ended->sequence);
    ROTA_CHECK(job.lease && job.lease->token == ended->token);
    job.lease.reset();
  } else if (const auto* forgotten = std::get_if<JobForgotten>(&change.body)) {
    ROTA_CHECK(live_.erase(forgotten->sequence) + finished_.erase(forgotten->id) == 1);
  } else if (const auto* paused = std::get_if<QueuePaused>(&change.body)) {
    if (paused->paused) {
      paused_.emplace(paused->queue);
    } else {
      paused_.erase(std::string(paused->queue));
    }
  }
}

Core StoreModel::reopen(CoreOptions options, Prng prng, Now now) {
  ++epoch_;
  const auto in_memory = [](const auto& one) { return one.second->shared.policy.durability == Durability::memory; };
  std::erase_if(live_, in_memory);
  std::erase_if(finished_, in_memory);
  options.epoch = epoch_;
  options.next_sequence = last_sequence_ + 1;
  options.next_dispatch = last_dispatch_ + 1;
  Core core(options, prng);
  for (const auto& queue : paused_) core.restore_paused(queue);
  for (const auto& [sequence, job] : live_) {
    LiveJob one;
    one.job = job->record;
    one.state = job->state ? &*job->state : nullptr;
    one.lease = job->lease ? &*job->lease : nullptr;
    one.body_size = static_cast<std::uint32_t>(job->body.size());
    core.restore(one, now);
  }
  return core;
}

std::vector<FinishedJob> StoreModel::some_finished(std::size_t most) const {
  std::vector<JobId> ids;
  for (const auto& [id, job] : finished_) {
    if (ids.size() == most) break;
    ids.push_back(id);
  }
  return find(ids);
}

std::vector<FinishedJob> StoreModel::find(const std::vector<JobId>& ids) const {
  std::vector<FinishedJob> result;
  for (const JobId& id : ids) {
    const auto at = finished_.find(id);
    if (at != finished_.end()) {
      result.push_back({at->second->record, *at->second->outcome, static_cast<std::uint32_t>(at->second->body.size())});
    }
  }
  return result;
}

}  // namespace rota::scenario
