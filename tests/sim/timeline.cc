#include "tests/sim/timeline.h"

#include <algorithm>
#include <utility>

namespace rota::sim {

void Timeline::at(Steady when, Task task) { due_.push(Due{std::max(when, now_.steady), next_number_++, std::move(task)}); }

bool Timeline::step() {
  if (due_.empty()) return false;
  // The queue gives its top as const only; it is popped at once.
  Due next = std::move(const_cast<Due&>(due_.top()));
  due_.pop();
  const Millis passed = next.when - now_.steady;
  now_.steady = next.when;
  now_.wall = now_.wall + passed;
  ++steps_;
  next.task();
  return true;
}

}  // namespace rota::sim
