#include "broker/server/parking.h"

#include <utility>

#include "common/base/limits.h"

namespace rota::server {

bool Parking::park(Frame frame, const Wants& wants, std::uint64_t behind_batch) {
  if (bytes_ + frame.bytes.size() > limits::kMaxParkedBytes) return false;
  const bool fits = !gathering_.empty() && gathering_.back().behind_batch == behind_batch &&
                    gathering_.back().group.task->ids.size() < limits::kMaxLookUpIds &&
                    gathering_.back().group.task->sequences.size() < limits::kMaxLookUpIds;
  if (!fits) {
    Gathering& added = gathering_.emplace_back();
    added.behind_batch = behind_batch;
    added.group.task = std::make_unique<ReadTask>();
  }
  Group& group = gathering_.back().group;
  bytes_ += frame.bytes.size();
  group.frames.push_back(std::move(frame));
  group.task->ids.insert(group.task->ids.end(), wants.ids.begin(), wants.ids.end());
  group.task->sequences.insert(group.task->sequences.end(), wants.sequences.begin(), wants.sequences.end());
  group.task->with_body = group.task->with_body || wants.with_body;
  return true;
}

void Parking::issue(const Pipeline& pipeline, Now now) {
  while (!gathering_.empty() && (gathering_.front().behind_batch <= pipeline.released() || pipeline.idle())) {
    Reading reading;
    reading.number = next_number_++;
    reading.group = std::move(gathering_.front().group);
    reading.group.asked_at = now.steady;
    gathering_.pop_front();
    ReadTask& task = *reading.group.task;
    task.number = reading.number;
    // What is never stored is answered here; memory does not fault.
    ReadTask local;
    local.ids = task.ids;
    local.with_body = task.with_body;
    carry_out(volatile_store_, local);
    std::vector<JobId> rest;
    for (const JobId& id : task.ids) {
      const queue::FinishedJob* job = local.found.find(id);
      if (job == nullptr) {
        rest.push_back(id);
        continue;
      }
      task.found.asked(id);
      task.found.add(*job);
    }
    task.ids = std::move(rest);
    reading.done = task.ids.empty() && task.sequences.empty();
    if (!reading.done) port_.read(std::move(reading.group.task));
    reading_.push_back(std::move(reading));
  }
}

bool Parking::on_read(std::unique_ptr<ReadTask>& task) {
  for (Reading& reading : reading_) {
    if (reading.number != task->number) continue;
    reading.group.task = std::move(task);
    reading.done = true;
    return true;
  }
  return false;
}

std::optional<Parking::Group> Parking::ready() {
  if (reading_.empty() || !reading_.front().done) return std::nullopt;
  Group group = std::move(reading_.front().group);
  reading_.pop_front();
  for (const Frame& frame : group.frames) bytes_ -= frame.bytes.size();
  return group;
}

Known::Known(const ReadTask& task, std::uint8_t round) : task_(task), round_(round) {
  places_.reserve(task.sequences.size());
  for (std::size_t i = 0; i < task.sequences.size(); ++i) places_.emplace(task.sequences[i], i);
}

std::optional<store::Batch::Body> Known::body(queue::Sequence sequence) const {
  const auto it = places_.find(sequence);
  if (it == places_.end() || it->second >= task_.bodies.size() || !task_.bodies.has(it->second)) return std::nullopt;
  return task_.bodies.get(it->second);
}

}  // namespace rota::server
