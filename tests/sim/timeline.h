#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "common/base/clock.h"

namespace rota::sim {

// Simulated time and what is to happen in it. Things due at the same moment happen in the order in which they were asked
// for. The wall clock runs beside the steady one until somebody sets it.
class Timeline {
 public:
  using Task = std::function<void()>;

  explicit Timeline(Now start) : now_(start) {}

  [[nodiscard]] Now now() const { return now_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  void at(Steady when, Task task);
  void after(Millis wait, Task task) { at(now_.steady + wait, std::move(task)); }
  // The next thing happens. False: nothing is left.
  bool step();
  void set_wall_by(Millis by) {
    now_.wall = now_.wall + by;
    wall_set_by_ += by;
  }
  // What the wall clock would show if nobody had set it.
  [[nodiscard]] Wall true_wall() const { return now_.wall - wall_set_by_; }
  void set_wall_right() { set_wall_by(-wall_set_by_); }

 private:
  struct Due {
    Steady when;
    std::uint64_t number = 0;
    Task task;
  };
  struct Later {
    bool operator()(const Due& a, const Due& b) const { return a.when != b.when ? a.when > b.when : a.number > b.number; }
  };

  Now now_;
  Millis wall_set_by_{0};
  std::uint64_t next_number_ = 0;
  std::uint64_t steps_ = 0;
  std::priority_queue<Due, std::vector<Due>, Later> due_;
};

}  // namespace rota::sim
