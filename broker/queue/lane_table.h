#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "broker/queue/ring.h"
#include "broker/queue/session_table.h"
#include "broker/queue/shape_table.h"

namespace rota::queue {

// A session's place in a ring of a lane. Void if the session ended or serves other queues since.
struct RingItem {
  SessionRef session = kNoSession;
  std::uint32_t at = 0;  // index into Session::lanes
  std::uint64_t service = 0;
};

// Of the sessions with all slots taken, the one that holds least beyond them for its size comes first.
struct CreditItem {
  std::uint32_t load = 0;
  RingItem item;
  bool operator<(const CreditItem& other) const {
    return load != other.load ? load < other.load : item.session < other.item.session;
  }
};

// What all sessions share that serve one queue with one set of types: whom a job of it can go to, and which jobs there are.
// So dispatch looks at sessions with room and classes with jobs only.
struct Lane {
  std::uint32_t queue = 0;
  std::uint32_t type_set = 0;
  std::vector<SessionRef> members;
  std::uint32_t search = 0;                 // where the next search among the members starts
  std::vector<std::uint32_t> active;        // classes with ready jobs; emptied ones are dropped when met
  Ring<RingItem> free_slots;                // sessions with a free slot; others are dropped when met
  std::size_t void_slots = 0;               // of these, the void ones
  absl::btree_set<CreditItem> free_credit;  // sessions with all slots taken and credit left, least laden first
  SessionRef reclaim_after = kNoSession;    // asked last for what it holds
  std::size_t reclaim_left = 0;             // how many more a search that goes on asks
  bool dirty = false;                       // in State::dirty_lanes: jobs or room came since the last dispatch
};

// Interned sets of types, and the lanes.
class LaneTable {
 public:
  // A sorted set of types (each a counted use that the set takes over); one more user.
  [[nodiscard]] std::uint32_t intern_types(ShapeTable& shapes, std::vector<std::uint32_t> types);
  void release_types(ShapeTable& shapes, std::uint32_t set);
  [[nodiscard]] bool serves(std::uint32_t set, std::uint32_t type) const;

  // The lane of this queue and set, made if need be.
  [[nodiscard]] std::uint32_t intern(ShapeTable& shapes, std::uint32_t queue, std::uint32_t set);
  // Ends a lane without members.
  void erase(ShapeTable& shapes, std::uint32_t lane);
  // A class began or is about to end: it joins or leaves the lanes that serve it.
  void add_class(ShapeTable& shapes, std::uint32_t in);
  void remove_class(ShapeTable& shapes, std::uint32_t in);
  [[nodiscard]] Lane& operator[](std::uint32_t lane) { return *lanes_[lane]; }
  [[nodiscard]] const Lane& operator[](std::uint32_t lane) const { return *lanes_[lane]; }
  [[nodiscard]] bool exists(std::uint32_t lane) const { return lane < lanes_.size() && lanes_[lane] != nullptr; }

 private:
  struct TypeSet {
    std::vector<std::uint32_t> types;  // sorted
    std::uint32_t users = 0;
  };
  // Calls `visit` with every class that the lane serves.
  template <typename Visit>
  void each_served(const ShapeTable& shapes, const Lane& lane, Visit visit) const;

  std::vector<TypeSet> sets_;
  std::vector<std::uint32_t> free_sets_;
  std::vector<absl::btree_set<std::uint32_t>> sets_of_;  // by type: those that hold it
  std::map<std::vector<std::uint32_t>, std::uint32_t> set_names_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::uint32_t> free_lanes_;
  absl::flat_hash_map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> by_use_;  // queue and set of types → lane
};

}  // namespace rota::queue
