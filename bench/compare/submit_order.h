#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "bench/compare/failure.h"

namespace rota::compare {

// The jobs that one connection submitted and that are not acknowledged, for servers that answer in the order of requests.
class SubmitOrder {
 public:
  void add(std::uint64_t first, std::size_t count) { open_.push_back({first, count}); }
  [[nodiscard]] bool empty() const { return open_.empty(); }
  // The next one to be acknowledged.
  [[nodiscard]] std::uint64_t take() {
    if (open_.empty()) fail("an acknowledgement for nothing");
    Run& run = open_.front();
    const std::uint64_t job = run.first++;
    if (--run.count == 0) open_.pop_front();
    return job;
  }

 private:
  struct Run {
    std::uint64_t first;
    std::size_t count;
  };
  std::deque<Run> open_;
};

}  // namespace rota::compare
