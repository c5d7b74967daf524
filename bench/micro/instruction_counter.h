#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace rota::micro {

// Counts the instructions that this thread runs in user space, from start() to report(). A count says more than a time on a
// machine that others use too: it hardly differs from run to run. Machines without the counter (most virtual ones) report
// nothing; is_supported() tells.
class InstructionCounter {
 public:
  InstructionCounter();
  ~InstructionCounter();
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  [[nodiscard]] bool is_supported() const { return fd_ >= 0; }
  void start() const;
  // Sets the counter "instructions" of the benchmark: how many for each of `items`.
  void report(benchmark::State& state, std::int64_t items) const;

 private:
  int fd_ = -1;
};

}  // namespace rota::micro
