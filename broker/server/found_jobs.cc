#include "broker/server/found_jobs.h"

#include <string_view>

namespace rota::server {

void FoundJobs::add(const queue::FinishedJob& job) {
  if (by_id_.contains(job.job.id)) return;
  Owned& owned = owned_.emplace_back();
  const queue::SharedRecord empty;
  const queue::SharedRecord& shared = job.job.shared != nullptr ? *job.job.shared : empty;
  owned.bytes.reserve(job.job.key.size() + job.job.body.size() + job.outcome.report.size() + shared.queue.size() +
                      shared.type.size() + shared.spec.size());
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
  copy.job.body = keep(job.job.body);
  copy.outcome.report = keep(job.outcome.report);
  copy.job.shared = &owned.shared;
  by_id_.emplace(job.job.id, all_.size());
  all_.push_back(copy);
}

const queue::FinishedJob* FoundJobs::find(const JobId& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &all_[it->second];
}

}  // namespace rota::server
