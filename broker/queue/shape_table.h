#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/queue/chunked_slab.h"
#include "broker/queue/command.h"
#include "broker/queue/deadline_tree.h"
#include "broker/queue/name_map.h"
#include "broker/queue/rate.h"
#include "broker/queue/ready_queue.h"

namespace rota::queue {

// A queue by name. Lives as long as the core.
struct QueueState {
  std::string name;
  Slot slot = 0;
  bool paused = false;
  bool reclaiming = false;                    // in State::reclaiming, since it was paused
  std::uint32_t reclaim_at = 0;               // the place of the session that is asked next
  std::uint64_t counts[kJobStateCount] = {};  // live states: now; final ones: since start
  std::vector<std::uint32_t> classes;         // in no order: DispatchClass::place
  std::vector<std::uint32_t> lanes;
  DeadlineTree due_steady, due_wall;                              // scheduled jobs
  std::int64_t known_steady = INT64_MAX, known_wall = INT64_MAX;  // their earliest, as the core's own trees know it
  absl::btree_set<SessionRef> overfull;                           // sessions serving it that hold more than they have slots
  std::uint32_t members = 0;                                      // sessions serving it
  std::uint64_t accepted = 0, dispatched = 0;                     // since start
  Rate submits, finishes;
  struct {
    Sequence through = 0;
    DeadlineTree::Key steady, wall;
  } purge;  // where the next slice over the scheduled jobs goes on
};

// A dispatch class: jobs of one queue and type. Lives while a shape names it.
struct DispatchClass {
  std::uint32_t queue = 0;
  std::uint32_t type = 0;
  std::uint32_t shapes = 0;
  std::uint32_t place = 0;      // in QueueState::classes
  ReadyQueue ready;             // never lost
  ReadyQueue suspects;          // lost once: only into a free slot
  ReadyQueue alone;             // lost more often: run alone; those for which a worker is reserved are not in it
  std::uint32_t exclusive = 0;  // workers reserved for or running jobs of it that run alone
  std::vector<std::uint32_t> lanes;
};

// Queue, type and policy, kept once for all their jobs.
struct Shape {
  std::uint32_t dispatch_class = 0;
  Policy policy;
  std::uint32_t jobs = 0;

  std::uint32_t& free_link() { return dispatch_class; }
};

// Interns names, classes and shapes; counts who uses them.
class ShapeTable {
 public:
  // Finds or makes it; kNone if limits::kMaxQueues are there.
  [[nodiscard]] std::uint32_t intern_queue(std::string_view name);
  [[nodiscard]] std::uint32_t find_queue(std::string_view name) const;
  // Counted: release_type ends each.
  [[nodiscard]] std::uint32_t intern_type(std::string_view name);
  [[nodiscard]] std::uint32_t find_type(std::string_view name) const;
  void release_type(std::uint32_t type);

  // One more job of this shape, or kNone if there are too many queues, or already `most_types` with jobs in this one.
  // `fresh_class` says that the class is new.
  [[nodiscard]] std::uint32_t intern(const SharedRecord& shared, bool& fresh_class,
                                     std::size_t most_types = limits::kMaxTypesPerQueue);
  // For people, of an intern() that gave kNone.
  [[nodiscard]] std::string_view why_refused(const SharedRecord& shared) const;
  void add_job(std::uint32_t shape) { ++shapes_[shape].jobs; }
  // One job less. The class that ended with it, or kNone: its places in lanes are the caller's to clear, then erase_class.
  [[nodiscard]] std::uint32_t release(std::uint32_t shape);
  void erase_class(std::uint32_t index);

  [[nodiscard]] QueueState& queue(std::uint32_t index) { return *queues_[index]; }
  [[nodiscard]] const QueueState& queue(std::uint32_t index) const { return *queues_[index]; }
  [[nodiscard]] std::uint32_t queues() const { return static_cast<std::uint32_t>(queues_.size()); }
  [[nodiscard]] const std::string& type(std::uint32_t index) const { return types_[index].name; }
  [[nodiscard]] DispatchClass& dispatch_class(std::uint32_t index) { return *classes_[index]; }
  [[nodiscard]] const DispatchClass& dispatch_class(std::uint32_t index) const { return *classes_[index]; }
  [[nodiscard]] std::uint32_t find_class(std::uint32_t queue, std::uint32_t type) const;
  [[nodiscard]] Shape& shape(std::uint32_t index) { return shapes_[index]; }
  [[nodiscard]] const Shape& shape(std::uint32_t index) const { return shapes_[index]; }

 private:
  struct Type {
    std::string name;
    std::uint32_t users = 0;
  };
  struct PolicyLess {
    bool operator()(const Policy& a, const Policy& b) const;
  };
  [[nodiscard]] bool is_last(const SharedRecord& shared) const;
  [[nodiscard]] std::uint32_t make_class(std::uint32_t queue, std::string_view type);

  std::vector<std::unique_ptr<QueueState>> queues_;
  NameMap<std::uint32_t> queue_names_;
  std::vector<Type> types_;
  std::vector<std::uint32_t> free_types_;
  NameMap<std::uint32_t> type_names_;
  std::vector<std::unique_ptr<DispatchClass>> classes_;
  std::vector<std::uint32_t> free_classes_;
  absl::flat_hash_map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> class_names_;  // queue, type
  ChunkedSlab<Shape, 256> shapes_;
  std::vector<std::map<Policy, std::uint32_t, PolicyLess>> class_shapes_;  // by class
  std::uint32_t last_ = kNone;  // the shape interned last: mostly it is the next one too
};

}  // namespace rota::queue
