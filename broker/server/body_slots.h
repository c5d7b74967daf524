#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/record.h"
#include "broker/store/store.h"

namespace rota::server {

// Bodies of jobs, copied out of a store into one buffer and found again by position. Neighbours with the same queue, type
// and spec share one copy of them, as the jobs of one submit do. Reused: clear() keeps the capacity. One thread at a time.
class BodySlots {
 public:
  // Empty slots for `count` jobs.
  void reset(std::size_t count);
  void put(std::size_t index, const store::Batch::Body& body);
  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] bool has(std::size_t index) const { return slots_[index].filled; }
  // Views live until the next put() or reset(). The slot must be filled.
  [[nodiscard]] store::Batch::Body get(std::size_t index) const;
  // Number of a filled slot's copy of queue, type, spec and policy: equal numbers, equal parts.
  [[nodiscard]] std::uint32_t shared_number(std::size_t index) const { return slots_[index].shared; }

 private:
  struct Shared {
    std::size_t at = 0;
    std::uint32_t queue = 0, type = 0, spec = 0;  // sizes, one behind the other
    queue::Policy policy;
  };
  struct Slot {
    bool filled = false;
    std::uint32_t shared = 0;
    std::size_t at = 0;
    std::size_t size = 0;
    std::size_t report = 0;  // its size; behind the body
  };
  [[nodiscard]] std::string_view piece(std::size_t at, std::size_t size) const {
    return std::string_view(bytes_).substr(at, size);
  }

  std::vector<Slot> slots_;
  std::vector<Shared> shared_;
  std::string bytes_;
};

}  // namespace rota::server
