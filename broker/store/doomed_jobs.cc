#include "broker/store/doomed_jobs.h"

#include <utility>

namespace rota::store {

DoomedJobs::Read::Read(DoomedJobs& doomed) : doomed_(doomed) {
  const std::lock_guard lock(doomed_.mutex_);
  at_ = doomed_.reads_.insert(doomed_.clock_.passed());
}

DoomedJobs::Read::~Read() {
  const std::lock_guard lock(doomed_.mutex_);
  doomed_.reads_.erase(at_);
}

bool DoomedJobs::contains(const JobId& id) const {
  if (size() == 0) return false;
  const std::lock_guard lock(mutex_);
  return ids_.contains(id);
}

void DoomedJobs::advance(Wall now) {
  const std::lock_guard lock(mutex_);
  clock_.advance(now);
  if (reads_.empty()) return;
  for (Slice& slice : slices_) {
    if (*reads_.begin() <= slice.doomed_at) slice.due_at = clock_.passed() + limits::kDropGrace;
  }
}

void DoomedJobs::doom(std::vector<ForgetEntry> slice) {
  if (slice.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const ForgetEntry& job : slice) ids_.insert(job.id);
  size_.store(ids_.size(), std::memory_order_relaxed);
  slices_.push_back({std::move(slice), clock_.passed(), clock_.passed() + limits::kDropGrace});
}

bool DoomedJobs::is_due() const {
  const std::lock_guard lock(mutex_);
  return !slices_.empty() && slices_.front().due_at <= clock_.passed();
}

std::optional<std::vector<ForgetEntry>> DoomedJobs::due() const {
  if (!is_due()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  std::vector<ForgetEntry> jobs;
  for (const ForgetEntry& job : slices_.front().jobs) {
    if (ids_.contains(job.id)) jobs.push_back(job);
  }
  return jobs;
}

void DoomedJobs::done() {
  const std::lock_guard lock(mutex_);
  for (const ForgetEntry& job : slices_.front().jobs) ids_.erase(job.id);
  size_.store(ids_.size(), std::memory_order_relaxed);
  slices_.pop_front();
}

void DoomedJobs::spare(std::span<const JobId> ids) {
  if (size() == 0) return;
  const std::lock_guard lock(mutex_);
  for (const JobId& id : ids) ids_.erase(id);
  size_.store(ids_.size(), std::memory_order_relaxed);
}

}  // namespace rota::store
