#include "tests/sim/disk.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/base/check.h"

namespace rota::sim {

using queue::Change;
using queue::FinishedJob;
using queue::JobAccepted;
using queue::JobChanged;
using queue::JobFinished;
using queue::JobForgotten;
using queue::JobLeased;
using queue::JobRecord;
using queue::JobRevived;
using queue::LeaseEnded;
using queue::LiveJob;
using queue::QueuePaused;
using queue::Sequence;
using queue::SharedRecord;

// --- changes that own what they point to --------------------------------------------------------------------------------

Staged::Staged(const Change& from) : change(from) {
  if (auto* accepted = std::get_if<JobAccepted>(&change.body)) {
    JobRecord& job = accepted->job;
    shared = *job.shared;
    queue = shared.queue;
    type = shared.type;
    spec = shared.spec;
    key = job.key;
    body = job.body;
    shared.queue = queue;
    shared.type = type;
    shared.spec = spec;
    job.shared = &shared;
    job.key = key;
    job.body = body;
  } else if (auto* changed = std::get_if<JobChanged>(&change.body)) {
    report = changed->state.report;
    changed->state.report = report;
  } else if (auto* revived = std::get_if<JobRevived>(&change.body)) {
    report = revived->state.report;
    revived->state.report = report;
  } else if (auto* finished = std::get_if<JobFinished>(&change.body)) {
    report = finished->outcome.report;
    finished->outcome.report = report;
  } else if (auto* paused = std::get_if<QueuePaused>(&change.body)) {
    queue = paused->queue;
    paused->queue = queue;
  }
}

void SimBatch::stage(const Change& change) {
  changes_.push_back(std::make_unique<Staged>(change));
  const Staged& staged = *changes_.back();
  if (const auto* accepted = std::get_if<JobAccepted>(&staged.change.body)) {
    accepted_[accepted->job.sequence] = &staged;
  } else if (const auto* forgotten = std::get_if<JobForgotten>(&staged.change.body)) {
    accepted_.erase(forgotten->sequence);
  }
}

std::optional<store::Batch::Body> SimBatch::find(Sequence sequence) const {
  const auto at = accepted_.find(sequence);
  if (at == accepted_.end()) return std::nullopt;
  const Staged& staged = *at->second;
  return Body{staged.queue, staged.type, staged.spec, staged.body, staged.shared.policy};
}

// --- what is durable ----------------------------------------------------------------------------------------------------

Disk::Job& Disk::of(Sequence sequence) {
  const auto at = live_.find(sequence);
  ROTA_CHECK(at != live_.end());
  return *at->second;
}

void Disk::apply(const StagedChanges& changes, std::optional<Wall> id_clock) {
  if (id_clock) id_clock_ = std::max(id_clock_, *id_clock);
  for (const auto& staged : changes) {
    std::visit([&](const auto& body) { take(body, *staged); }, staged->change.body);
  }
}

void Disk::take(const JobAccepted& change, const Staged& staged) {
  auto job = std::make_unique<Job>();
  job->record = change.job;
  job->queue = staged.queue;
  job->type = staged.type;
  job->spec = staged.spec;
  job->key = staged.key;
  job->body = staged.body;
  job->shared = staged.shared;
  job->shared.queue = job->queue;
  job->shared.type = job->type;
  job->shared.spec = job->spec;
  job->record.shared = &job->shared;
  job->record.key = job->key;
  job->record.body = job->body;
  ROTA_CHECK(change.job.sequence > last_sequence_);
  last_sequence_ = change.job.sequence;
  live_.emplace(change.job.sequence, std::move(job));
}

void Disk::take(const JobChanged& change, const Staged& staged) {
  Job& job = of(change.state.sequence);
  job.state_report = staged.report;
  job.state = change.state;
  job.state->report = job.state_report;
}

void Disk::take(const JobLeased& change, const Staged& /*staged*/) {
  Job& job = of(change.lease.sequence);
  ROTA_CHECK(!job.lease);
  job.lease = change.lease;
  last_dispatch_ = std::max(last_dispatch_, change.lease.token.dispatch);
}

void Disk::take(const LeaseEnded& change, const Staged& /*staged*/) {
  Job& job = of(change.sequence);
  ROTA_CHECK(job.lease && job.lease->token == change.token);
  job.lease.reset();
}

void Disk::take(const JobFinished& change, const Staged& staged) {
  Job& job = of(change.outcome.sequence);
  ROTA_CHECK(change.lease == (job.lease ? job.lease->token : Token{}));
  ROTA_CHECK(change.outcome.id == job.record.id && is_final(change.outcome.state));
  job.lease.reset();
  job.outcome_report = staged.report;
  job.outcome = change.outcome;
  job.outcome->report = job.outcome_report;
  job.filed_at = {};
  job.record.sequence = change.outcome.sequence;
  finished_[change.outcome.id] = std::move(live_.at(change.outcome.sequence));
  live_.erase(change.outcome.sequence);
}

void Disk::take(const JobRevived& change, const Staged& staged) {
  const auto at = finished_.find(change.id);
  ROTA_CHECK(at != finished_.end() && at->second->record.sequence == change.old_sequence);
  ROTA_CHECK(change.state.sequence > last_sequence_);
  last_sequence_ = change.state.sequence;
  std::unique_ptr<Job> job = std::move(at->second);
  finished_.erase(at);
  job->record.sequence = change.state.sequence;
  job->state_report = staged.report;
  job->state = change.state;
  job->state->report = job->state_report;
  job->outcome.reset();
  job->dropped_at.reset();
  live_.emplace(change.state.sequence, std::move(job));
}

void Disk::take(const JobForgotten& change, const Staged& /*staged*/) {
  if (live_.erase(change.sequence) > 0) return;
  const auto at = finished_.find(change.id);
  // Its time may have been over before.
  if (at != finished_.end() && at->second->record.sequence == change.sequence) finished_.erase(at);
}

void Disk::take(const QueuePaused& change, const Staged& /*staged*/) {
  if (change.paused) {
    paused_.emplace(change.queue);
  } else {
    paused_.erase(std::string(change.queue));
  }
}

store::Opened Disk::open(store::LoadSink& sink) {
  ++epoch_;
  for (const std::string& queue : paused_) sink.paused_queue(queue);
  for (auto& [id, job] : finished_) job->dropped_at.reset();
  for (const auto& [sequence, job] : live_) {
    LiveJob one;
    one.job = job->record;
    one.state = job->state ? &*job->state : nullptr;
    one.lease = job->lease ? &*job->lease : nullptr;
    one.body_size = static_cast<std::uint32_t>(job->body.size());
    sink.live_job(one);
  }
  store::Opened opened;
  opened.epoch = epoch_;
  opened.next_sequence = last_sequence_ + 1;
  opened.next_dispatch = last_dispatch_ + 1;
  opened.id_clock = id_clock_;
  opened.live_jobs = live_.size();
  return opened;
}

const Disk::Job* Disk::live(Sequence sequence) const {
  const auto at = live_.find(sequence);
  return at == live_.end() ? nullptr : at->second.get();
}

const Disk::Job* Disk::finished(const JobId& id) const {
  const auto at = finished_.find(id);
  return at == finished_.end() || at->second->dropped_at ? nullptr : at->second.get();
}

std::uint64_t Disk::forget_until(Wall now) {
  return std::erase_if(finished_, [&](const auto& entry) { return entry.second->outcome->forget_at <= now; });
}

std::uint64_t Disk::forget_down_to(std::size_t most, Millis window, Wall now, Millis grace_clock) {
  const auto over = [&](const auto& one) {
    return one.second->dropped_at && grace_clock >= *one.second->dropped_at + limits::kDropGrace;
  };
  (void)std::erase_if(finished_, over);
  std::vector<std::pair<Wall, JobId>> oldest;
  for (auto& [id, job] : finished_) {
    if (job->dropped_at) continue;
    if (job->filed_at.ms == 0) job->filed_at = std::max(now, time_of(id));
    oldest.emplace_back(job->filed_at, id);
  }
  if (oldest.size() <= most) return 0;
  std::sort(oldest.begin(), oldest.end());
  std::uint64_t forgotten = 0;
  for (std::size_t i = 0; i < oldest.size() - most; ++i) {
    const auto& [filed_at, id] = oldest[i];
    if (now < filed_at + window) {
      finished_.at(id)->outcome_report.clear();
      finished_.at(id)->outcome->report = {};
    } else {
      finished_.at(id)->dropped_at = grace_clock;
      ++forgotten;
    }
  }
  return forgotten;
}

// --- the store ----------------------------------------------------------------------------------------------------------

Result<store::CommitInfo> SimStore::commit(store::Batch& batch) {
  auto& changes = dynamic_cast<SimBatch&>(batch);
  disk_.apply(changes.changes(), changes.id_clock());
  return store::CommitInfo{0, batch.bytes()};
}

Status SimStore::bodies(std::span<const Sequence> sequences,
                        const std::function<void(std::size_t, const store::Batch::Body&)>& sink) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Disk::Job* job = disk_.live(sequences[i]);
    if (job == nullptr) continue;
    sink(i, store::Batch::Body{job->queue, job->type, job->spec, job->body, job->shared.policy, job->state_report});
  }
  return {};
}

void SimStore::give(const Disk::Job& job, bool with_body, const std::function<void(const FinishedJob&)>& sink) {
  FinishedJob found;
  found.job = job.record;
  found.outcome = *job.outcome;
  found.body_size = static_cast<std::uint32_t>(job.body.size());
  SharedRecord shared = job.shared;
  found.job.shared = &shared;
  if (!with_body) {
    shared.spec = {};
    found.job.body = {};
  }
  sink(found);
}

Status SimStore::find(std::span<const JobId> ids, const store::FinishedQuery& query,
                      const std::function<void(std::size_t, const FinishedJob&)>& sink) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Disk::Job* job = disk_.finished(ids[i]);
    if (job == nullptr) continue;
    give(*job, query.with_body, [&](const FinishedJob& found) { sink(i, found); });
  }
  return {};
}

Result<store::ListPage> SimStore::list(const store::ListQuery& query, const std::function<void(const FinishedJob&)>& sink) {
  store::ListPage page;
  const auto& all = disk_.all_finished();
  const std::size_t visits = std::max<std::size_t>(std::min(query.visits, bounds_.list_visits), 1);
  std::size_t given = 0;
  auto at = query.below.is_nil() ? all.end() : all.lower_bound(query.below);
  while (at != all.begin()) {
    --at;
    const Disk::Job& job = *at->second;
    if (time_of(at->first) < query.since) break;
    if (given >= std::max<std::size_t>(query.most, 1) || page.visited >= visits) {
      page.more = true;
      break;
    }
    ++page.visited;
    page.reached = at->first;
    const bool matches = !job.dropped_at && (query.queue.empty() || query.queue == job.queue) &&
                         (query.type.empty() || query.type == job.type) &&
                         (query.states & state_bit(job.outcome->state)) != 0;
    if (!matches) continue;
    give(job, query.with_body, sink);
    ++given;
  }
  return page;
}

Result<store::MaintainInfo> SimStore::maintain(Wall now) {
  store::MaintainInfo info;
  grace_.advance(now);
  info.forgotten = disk_.forget_until(forget_clock_.advance(now) + bounds_.forgets_ahead);
  if (bounds_.finished > 0)
    info.forgotten_early = disk_.forget_down_to(bounds_.finished, bounds_.dedup_window, now, grace_.passed());
  return info;
}

store::Usage SimStore::usage() const {
  store::Usage usage;
  usage.finished_jobs = disk_.finished_jobs();
  usage.accepts_submits = !full_;
  if (full_) usage.why_not = "the simulated disk is full";
  return usage;
}

}  // namespace rota::sim
