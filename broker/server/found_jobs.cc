#include "broker/server/found_jobs.h"

#include <string_view>

#include "broker/server/brief_report.h"

namespace rota::server {

void FoundJobs::add(const queue::FinishedJob& job) { add(job, job.job.body, job.outcome.report, 0); }

void FoundJobs::add_without_payload(const queue::FinishedJob& job) { add(job, {}, job.outcome.report, 0); }

void FoundJobs::add_brief(const queue::FinishedJob& job, bool with_stderr) {
  std::uint64_t left_out = 0;
  const std::string report = brief_report(job.outcome.report, left_out, with_stderr);
  add(job, {}, report, left_out);
}

bool FoundJobs::take_over(const FoundJobs& from, const JobId& id) {
  const queue::FinishedJob* job = from.find(id);
  if (job == nullptr) return false;
  add(*job, job->job.body, job->outcome.report, from.left_out(id));
  return true;
}

void FoundJobs::add(const queue::FinishedJob& job, std::string_view body, std::string_view report, std::uint64_t left_out) {
  const auto known = by_id_.find(job.job.id);
  if (known != by_id_.end() && (left_out > 0 || owned_[known->second].left_out == 0)) return;
  if (known != by_id_.end()) owned_[known->second] = Owned{};
  Owned& owned = known != by_id_.end() ? owned_[known->second] : owned_.emplace_back();
  const queue::SharedRecord empty;
  const queue::SharedRecord& shared = job.job.shared != nullptr ? *job.job.shared : empty;
  owned.bytes.reserve(job.job.key.size() + body.size() + report.size() + shared.queue.size() + shared.type.size() +
                      shared.spec.size());
  const auto keep = [&owned](std::string_view text) {
    const std::size_t at = owned.bytes.size();
    owned.bytes.append(text);  // within the reserved capacity: earlier views stay valid
    return std::string_view(owned.bytes.data() + at, text.size());
  };
  owned.shared = shared;
  owned.shared.queue = keep(shared.queue);
  owned.shared.type = keep(shared.type);
  owned.shared.spec = keep(shared.spec);
  queue::FinishedJob copy = job;
  copy.job.key = keep(job.job.key);
  copy.job.body = keep(body);
  copy.outcome.report = keep(report);
  copy.job.shared = &owned.shared;
  owned.left_out = left_out;
  if (known != by_id_.end()) {
    all_[known->second] = copy;
    return;
  }
  by_id_.emplace(job.job.id, all_.size());
  all_.push_back(copy);
}

const queue::FinishedJob* FoundJobs::find(const JobId& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &all_[it->second];
}

std::uint64_t FoundJobs::left_out(const JobId& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? 0 : owned_[it->second].left_out;
}

}  // namespace rota::server
