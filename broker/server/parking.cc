#include "broker/server/parking.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/peer_limits.h"

namespace rota::server {

Known::Known(std::unique_ptr<ReadTask> task, std::uint64_t last_batch) : task_(std::move(task)), last_batch_(last_batch) {
  places_.reserve(task_->sequences.size());
  for (std::size_t i = 0; i < task_->sequences.size(); ++i) places_.emplace(task_->sequences[i], i);
}

std::optional<store::Batch::Body> Known::body(queue::Sequence sequence) const {
  const auto it = places_.find(sequence);
  if (it == places_.end() || it->second >= task_->bodies.size() || !task_->bodies.has(it->second)) return std::nullopt;
  return task_->bodies.get(it->second);
}

bool Parking::park(Route route, Frame frame, const Wants& wants, std::uint64_t behind_batch) {
  if (bytes_ + frame.bytes.size() > limits::kMaxParkedBytes) return false;
  bytes_ += frame.bytes.size();
  Line& line = lines_[route];
  if (line.id == 0) line.id = next_line_++;
  if (frame.decides) ++line.deciding;
  frame.waits = !wants.empty();
  if (frame.waits) {
    ++frame.looks;
    ask({route, line.id, line.first + line.frames.size()}, wants, behind_batch);
  }
  line.frames.push_back(std::move(frame));
  return true;
}

void Parking::look_again(Route route, Frame frame, const Wants& wants, std::uint64_t behind_batch) {
  const auto it = lines_.find(route);
  ROTA_CHECK(it != lines_.end() && !it->second.frames.empty() && !wants.empty());
  Line& line = it->second;
  Frame& head = line.frames.front();
  bytes_ -= head.bytes.size();
  bytes_ += frame.bytes.size();
  if (head.decides) --line.deciding;
  if (frame.decides) ++line.deciding;
  head = std::move(frame);
  head.waits = true;
  ++head.looks;
  ask({route, line.id, line.first}, wants, behind_batch);
}

void Parking::ask(Asker asker, const Wants& wants, std::uint64_t behind_batch) {
  const bool reads = wants.want != ReadTask::Want::facts;
  const bool fits = !gathering_.empty() && gathering_.back().behind_batch == behind_batch &&
                    gathering_.back().task->ids.size() + wants.ids.size() <= limits::kMaxLookUpIds &&
                    gathering_.back().task->sequences.size() + wants.sequences.size() <= limits::kMaxLookUpIds &&
                    (!reads || gathering_.back().readers < limits::kMaxLookReaders);
  if (!fits) {
    Look& added = gathering_.emplace_back();
    added.number = next_look_++;
    added.behind_batch = behind_batch;
    added.task = std::make_unique<ReadTask>();
    added.task->number = added.number;
  }
  Look& look = gathering_.back();
  const auto reader = static_cast<std::uint32_t>(look.askers.size());
  look.askers.push_back(asker);
  if (reads) ++look.readers;
  look.task->ids.insert(look.task->ids.end(), wants.ids.begin(), wants.ids.end());
  look.task->sequences.insert(look.task->sequences.end(), wants.sequences.begin(), wants.sequences.end());
  look.task->readers.resize(look.task->ids.size(), ReadTask::Reader{reader, wants.want});
}

void Parking::issue(const Pipeline& pipeline) {
  while (!gathering_.empty() && reading_.size() < limits::kMaxLooksUnderWay &&
         (gathering_.front().behind_batch <= pipeline.released() || pipeline.idle())) {
    Look look = std::move(gathering_.front());
    gathering_.pop_front();
    look.last_batch = pipeline.released();
    ReadTask& task = *look.task;
    look_up_in_memory(volatile_store_, task);
    if (task.ids.empty() && task.sequences.empty()) {
      done(std::move(look));
      continue;
    }
    port_.read(std::move(look.task));
    reading_.push_back(std::move(look));
  }
}

void Parking::on_read(std::unique_ptr<ReadTask> task) {
  const auto it =
      std::find_if(reading_.begin(), reading_.end(), [&task](const Look& look) { return look.number == task->number; });
  ROTA_CHECK(it != reading_.end());
  Look look = std::move(*it);
  reading_.erase(it);
  look.task = std::move(task);
  done(std::move(look));
}

void Parking::done(Look look) {
  const auto known = std::make_shared<const Known>(std::move(look.task), look.last_batch);
  for (const Asker& asker : look.askers) {
    const auto it = lines_.find(asker.route);
    if (it == lines_.end() || it->second.id != asker.line) continue;  // the peer is gone
    Line& line = it->second;
    ROTA_CHECK(asker.number >= line.first && asker.number - line.first < line.frames.size());
    Frame& frame = line.frames[asker.number - line.first];
    frame.known = known;
    frame.waits = false;
    if (asker.number == line.first) ready_.push_back(asker.route);
  }
}

Route Parking::take_ready() {
  if (ready_.empty()) return 0;
  const Route route = ready_.front();
  ready_.pop_front();
  return route;
}

const Parking::Frame* Parking::head(Route route) const {
  const auto it = lines_.find(route);
  return it == lines_.end() || it->second.frames.front().waits ? nullptr : &it->second.frames.front();
}

void Parking::pop(Route route) {
  const auto it = lines_.find(route);
  ROTA_CHECK(it != lines_.end());
  Line& line = it->second;
  bytes_ -= line.frames.front().bytes.size();
  if (line.frames.front().decides) --line.deciding;
  line.frames.pop_front();
  ++line.first;
  if (line.frames.empty()) lines_.erase(it);
}

void Parking::drop(Route route) {
  const auto it = lines_.find(route);
  if (it == lines_.end()) return;
  for (const Frame& frame : it->second.frames) bytes_ -= frame.bytes.size();
  lines_.erase(it);
}

bool Parking::may_look_ahead(Route route) const {
  const auto it = lines_.find(route);
  return it == lines_.end() || it->second.deciding == 0;
}

}  // namespace rota::server
