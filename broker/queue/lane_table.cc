#include "broker/queue/lane_table.h"

#include <algorithm>

namespace rota::queue {

std::uint32_t LaneTable::intern_types(ShapeTable& shapes, std::vector<std::uint32_t> types) {
  if (const auto found = set_names_.find(types); found != set_names_.end()) {
    for (const std::uint32_t type : types) shapes.release_type(type);  // the set counts as one user of each
    ++sets_[found->second].users;
    return found->second;
  }
  std::uint32_t set = 0;
  if (free_sets_.empty()) {
    set = static_cast<std::uint32_t>(sets_.size());
    sets_.emplace_back();
  } else {
    set = free_sets_.back();
    free_sets_.pop_back();
  }
  sets_[set].users = 1;
  if (!types.empty() && types.back() >= sets_of_.size()) sets_of_.resize(types.back() + 1);
  for (const std::uint32_t type : types) sets_of_[type].insert(set);
  set_names_.emplace(types, set);
  sets_[set].types = std::move(types);
  return set;
}

void LaneTable::release_types(ShapeTable& shapes, std::uint32_t set) {
  ROTA_CHECK(sets_[set].users > 0);
  if (--sets_[set].users > 0) return;
  for (const std::uint32_t type : sets_[set].types) {
    sets_of_[type].erase(set);
    shapes.release_type(type);
  }
  set_names_.erase(sets_[set].types);
  sets_[set].types.clear();
  free_sets_.push_back(set);
}

bool LaneTable::serves(std::uint32_t set, std::uint32_t type) const {
  return std::binary_search(sets_[set].types.begin(), sets_[set].types.end(), type);
}

template <typename Visit>
void LaneTable::each_served(const ShapeTable& shapes, const Lane& lane, Visit visit) const {
  const std::vector<std::uint32_t>& classes = shapes.queue(lane.queue).classes;
  const std::vector<std::uint32_t>& types = sets_[lane.type_set].types;
  if (classes.size() <= types.size()) {
    for (const std::uint32_t in : classes) {
      if (serves(lane.type_set, shapes.dispatch_class(in).type)) visit(in);
    }
    return;
  }
  for (const std::uint32_t type : types) {
    if (const std::uint32_t in = shapes.find_class(lane.queue, type); in != kNone) visit(in);
  }
}

std::uint32_t LaneTable::intern(ShapeTable& shapes, std::uint32_t queue, std::uint32_t set) {
  if (const auto known = by_use_.find({queue, set}); known != by_use_.end()) return known->second;
  std::uint32_t index = 0;
  if (free_lanes_.empty()) {
    index = static_cast<std::uint32_t>(lanes_.size());
    lanes_.emplace_back();
  } else {
    index = free_lanes_.back();
    free_lanes_.pop_back();
  }
  lanes_[index] = std::make_unique<Lane>();
  Lane& lane = *lanes_[index];
  lane.queue = queue;
  lane.type_set = set;
  ++sets_[set].users;
  by_use_.emplace(std::pair{queue, set}, index);
  shapes.queue(queue).lanes.push_back(index);
  each_served(shapes, lane, [&](std::uint32_t in) {
    shapes.dispatch_class(in).lanes.push_back(index);
    lane.active.push_back(in);
  });
  return index;
}

void LaneTable::erase(ShapeTable& shapes, std::uint32_t index) {
  Lane& lane = *lanes_[index];
  ROTA_CHECK(lane.members.empty());
  by_use_.erase({lane.queue, lane.type_set});
  std::erase(shapes.queue(lane.queue).lanes, index);
  each_served(shapes, lane, [&](std::uint32_t in) { std::erase(shapes.dispatch_class(in).lanes, index); });
  release_types(shapes, lane.type_set);
  lanes_[index].reset();
  free_lanes_.push_back(index);
}

void LaneTable::add_class(ShapeTable& shapes, std::uint32_t in) {
  DispatchClass& one = shapes.dispatch_class(in);
  if (one.type >= sets_of_.size()) return;
  const std::vector<std::uint32_t>& lanes = shapes.queue(one.queue).lanes;
  const absl::btree_set<std::uint32_t>& sets = sets_of_[one.type];
  if (lanes.size() <= sets.size()) {
    for (const std::uint32_t lane : lanes) {
      if (serves(lanes_[lane]->type_set, one.type)) one.lanes.push_back(lane);
    }
    return;
  }
  for (const std::uint32_t set : sets) {
    if (const auto lane = by_use_.find({one.queue, set}); lane != by_use_.end()) one.lanes.push_back(lane->second);
  }
}

void LaneTable::remove_class(ShapeTable& shapes, std::uint32_t in) {
  for (const std::uint32_t lane : shapes.dispatch_class(in).lanes) std::erase(lanes_[lane]->active, in);
  shapes.dispatch_class(in).lanes.clear();
}

}  // namespace rota::queue
