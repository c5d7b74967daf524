#include "broker/queue/shape_table.h"

#include <algorithm>
#include <tuple>

namespace rota::queue {

bool ShapeTable::PolicyLess::operator()(const Policy& a, const Policy& b) const {
  const auto fields = [](const Policy& p) {
    return std::make_tuple(p.retries, p.losses, p.stop_on_disconnect, p.durability, p.backoff, p.backoff_factor_milli,
                           p.backoff_max, p.time_limit, p.keep, p.key_for);
  };
  return fields(a) < fields(b);
}

std::uint32_t ShapeTable::find_queue(std::string_view name) const {
  const auto found = queue_names_.find(name);
  return found == queue_names_.end() ? kNone : found->second;
}

std::uint32_t ShapeTable::intern_queue(std::string_view name) {
  if (const std::uint32_t found = find_queue(name); found != kNone) return found;
  if (queues_.size() >= limits::kMaxQueues) return kNone;
  const auto index = static_cast<std::uint32_t>(queues_.size());
  queues_.push_back(std::make_unique<QueueState>());
  queues_.back()->name = name;
  queues_.back()->slot = slot_of_queue(name);
  queue_names_.emplace(name, index);
  return index;
}

std::uint32_t ShapeTable::find_type(std::string_view name) const {
  const auto found = type_names_.find(name);
  return found == type_names_.end() ? kNone : found->second;
}

std::uint32_t ShapeTable::intern_type(std::string_view name) {
  std::uint32_t index = find_type(name);
  if (index == kNone) {
    if (free_types_.empty()) {
      index = static_cast<std::uint32_t>(types_.size());
      types_.emplace_back();
    } else {
      index = free_types_.back();
      free_types_.pop_back();
    }
    types_[index].name = name;
    type_names_.emplace(name, index);
  }
  ++types_[index].users;
  return index;
}

void ShapeTable::release_type(std::uint32_t type) {
  ROTA_CHECK(types_[type].users > 0);
  if (--types_[type].users > 0) return;
  type_names_.erase(types_[type].name);
  types_[type].name.clear();
  free_types_.push_back(type);
}

std::uint32_t ShapeTable::find_class(std::uint32_t queue, std::uint32_t type) const {
  const auto found = class_names_.find({queue, type});
  return found == class_names_.end() ? kNone : found->second;
}

bool ShapeTable::is_last(const SharedRecord& shared) const {
  if (last_ == kNone) return false;
  const Shape& shape = shapes_[last_];
  const DispatchClass& in = *classes_[shape.dispatch_class];
  return shape.policy == shared.policy && queues_[in.queue]->name == shared.queue && types_[in.type].name == shared.type;
}

std::uint32_t ShapeTable::make_class(std::uint32_t queue, std::string_view type) {
  std::uint32_t in = 0;
  if (free_classes_.empty()) {
    in = static_cast<std::uint32_t>(classes_.size());
    classes_.emplace_back();
    class_shapes_.emplace_back();
  } else {
    in = free_classes_.back();
    free_classes_.pop_back();
  }
  classes_[in] = std::make_unique<DispatchClass>();
  DispatchClass& made = *classes_[in];
  made.queue = queue;
  made.type = intern_type(type);  // the class counts as one user, however many jobs it has
  std::vector<std::uint32_t>& all = queues_[queue]->classes;
  made.place = static_cast<std::uint32_t>(all.size());
  all.push_back(in);
  class_names_.emplace(std::pair{queue, made.type}, in);
  return in;
}

std::uint32_t ShapeTable::intern(const SharedRecord& shared, bool& fresh_class, std::size_t most_types) {
  fresh_class = false;
  if (is_last(shared)) {
    ++shapes_[last_].jobs;
    return last_;
  }
  const std::uint32_t queue = intern_queue(shared.queue);
  if (queue == kNone) return kNone;
  const std::uint32_t type = find_type(shared.type);
  std::uint32_t in = type == kNone ? kNone : find_class(queue, type);
  if (in == kNone) {
    if (queues_[queue]->classes.size() >= most_types) return kNone;
    fresh_class = true;
    in = make_class(queue, shared.type);
  }
  const auto [at, fresh] = class_shapes_[in].try_emplace(shared.policy, kNone);
  if (fresh) {
    at->second = shapes_.allocate();
    Shape& shape = shapes_[at->second];
    shape.dispatch_class = in;
    shape.policy = shared.policy;
    ++classes_[in]->shapes;
  }
  last_ = at->second;
  ++shapes_[last_].jobs;
  return last_;
}

std::string_view ShapeTable::why_refused(const SharedRecord& shared) const {
  if (find_queue(shared.queue) == kNone) return "this broker holds as many queues as it can; use an existing queue";
  return "this queue has jobs of as many types as it can; use one of these, and the payload for what differs";
}

std::uint32_t ShapeTable::release(std::uint32_t index) {
  Shape& shape = shapes_[index];
  ROTA_CHECK(shape.jobs > 0);
  if (--shape.jobs > 0) return kNone;
  if (last_ == index) last_ = kNone;
  const std::uint32_t in = shape.dispatch_class;
  class_shapes_[in].erase(shape.policy);
  shapes_.release(index);
  ROTA_CHECK(classes_[in]->shapes > 0);
  return --classes_[in]->shapes == 0 ? in : kNone;
}

void ShapeTable::erase_class(std::uint32_t index) {
  DispatchClass& in = *classes_[index];
  ROTA_CHECK(in.ready.empty() && in.suspects.empty() && in.alone.empty());
  std::vector<std::uint32_t>& all = queues_[in.queue]->classes;
  ROTA_CHECK(all[in.place] == index);
  all[in.place] = all.back();
  classes_[all.back()]->place = in.place;
  all.pop_back();
  class_names_.erase({in.queue, in.type});
  release_type(in.type);
  classes_[index].reset();
  free_classes_.push_back(index);
}

}  // namespace rota::queue
