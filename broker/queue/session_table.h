#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/command.h"
#include "broker/queue/job_entry.h"
#include "broker/queue/name_map.h"

namespace rota::queue {

// A queue that a session serves.
struct ServedLane {
  std::uint32_t lane = kNone;
  std::uint32_t weight = 1;
  std::uint64_t pass = 0;    // stride scheduling: the queue with the lowest is next
  std::uint32_t member = 0;  // its place in Lane::members
  bool in_slots = false;     // in Lane::free_slots
  bool in_credit = false;    // in Lane::free_credit, under credit_load
  std::uint32_t credit_load = 0;
};

// A worker's session. One without `connected` keeps leases only: its connection is gone, or it was found at a restart and
// has no name yet.
struct Session {
  SessionRef ref = kNoSession;
  Uuid uuid;
  std::uint64_t route = 0;
  std::uint64_t connection = 0;
  bool connected = false;
  bool draining = false;
  bool drain_asked = false;  // by an administrator
  bool touched = false;      // in State::touched
  bool overfull = false;     // in QueueState::overfull of its queues
  bool returned = false;     // in State::returned
  std::string name, host, boot_id;
  std::uint64_t pid = 0;
  std::uint64_t start_time = 0;
  std::uint32_t slots = 1;
  std::uint32_t credit = 0;
  std::uint64_t started_through = 0;
  std::uint64_t left_through[2] = {0, 0};  // highest dispatch number that left the broker: of stored jobs, of memory jobs
  Steady lease_until;
  Steady contact_at;
  std::int64_t lease_key = 0;  // under which the lease tree has it; not after lease_until
  // Its unfinished jobs in dispatch order.
  JobIndex head = kNone, tail = kNone;
  std::uint32_t unfinished = 0;
  std::uint32_t asked = 0;     // of those, how many were asked back
  std::uint64_t bytes = 0;     // of their bodies
  JobIndex reserved = kNone;   // runs empty for this job
  JobIndex exclusive = kNone;  // runs this job alone
  std::uint32_t type_set = kNone;
  std::uint32_t width = 0;    // queues and types of its HELLO
  std::uint64_t service = 0;  // another number, of no session before, when `lanes` is made anew: older ring items are void
  std::uint64_t virtual_pass = 0;
  std::vector<ServedLane> lanes;
  std::vector<JobIndex> batch;  // given in this turn

  [[nodiscard]] bool takes_jobs() const {
    return connected && !draining && reserved == kNone && exclusive == kNone && unfinished < credit;
  }
  [[nodiscard]] bool has_free_slot() const { return takes_jobs() && unfinished < slots; }
  [[nodiscard]] bool has_free_credit() const { return takes_jobs() && unfinished >= slots; }
  // Jobs beyond its slots, for each 64th of a slot.
  [[nodiscard]] std::uint32_t load() const { return unfinished > slots ? (unfinished - slots) * 64 / slots : 0; }
  [[nodiscard]] std::uint32_t beyond_slots() const { return unfinished > slots ? unfinished - slots : 0; }
};

// Sessions by number, uuid and name. A SessionRef is a place (16 bits) and how often the place was used before (16 bits),
// so that the number of an ended session is not taken for another one's.
class SessionTable {
 public:
  static constexpr std::size_t kMost = 65'535;

  [[nodiscard]] Session* find(SessionRef ref);
  [[nodiscard]] const Session* find(SessionRef ref) const;
  // Null where none is.
  [[nodiscard]] Session* at_place(std::uint32_t place) { return places_[place].session.get(); }
  [[nodiscard]] std::uint32_t places() const { return static_cast<std::uint32_t>(places_.size()); }
  [[nodiscard]] Session* find_uuid(const Uuid& uuid);
  [[nodiscard]] Session* find_name(std::string_view name);
  // Null if all places are taken.
  [[nodiscard]] Session* add(const Uuid& uuid);
  void set_name(Session& session, std::string_view name);
  void erase(SessionRef ref);
  // Before erase(): its worker said goodbye, so that no HELLO of an older connection may bring it back.
  void note_goodbye(const Session& session);
  // Of the last limits::kMaxWorkers that said goodbye.
  [[nodiscard]] bool has_left(const Uuid& uuid, std::uint64_t connection) const;
  [[nodiscard]] std::size_t size() const { return by_uuid_.size(); }
  // At most `most` from this place on; the place after the last one visited, 0 if that was all.
  template <typename Visit>
  std::uint32_t each_from(std::uint32_t place, std::uint32_t most, Visit visit) const {
    for (; place < places_.size(); ++place) {
      if (!places_[place].session) continue;
      if (most-- == 0) return place;
      visit(static_cast<const Session&>(*places_[place].session));
    }
    return 0;
  }
  // In the order of places.
  template <typename Visit>
  void each(Visit visit) {
    for (auto& place : places_) {
      if (place.session) visit(*place.session);
    }
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& place : places_) {
      if (place.session) visit(static_cast<const Session&>(*place.session));
    }
  }

 private:
  struct Place {
    std::unique_ptr<Session> session;
    std::uint16_t uses = 0;
  };
  std::vector<Place> places_;
  std::vector<std::uint32_t> free_;
  absl::flat_hash_map<Uuid, SessionRef, std::hash<Uuid>> by_uuid_;
  NameMap<SessionRef> by_name_;
  absl::flat_hash_map<Uuid, std::uint64_t> left_;  // the connection that the goodbye came on
  std::deque<Uuid> left_in_order_;
};

}  // namespace rota::queue
