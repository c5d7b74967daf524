#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/client.h"

namespace rota::cli {

// What to submit, and how fast.
struct BenchLoad {
  client::JobTemplate shared;
  std::uint64_t jobs = 0;
  std::uint64_t payload = 100;  // bytes
  std::uint64_t batch = 64;
  std::uint64_t window = 1000;
  std::uint64_t rate = 0;  // latency only; jobs a second, 0: one at a time
};

struct BenchFigures {
  std::uint64_t jobs = 0;
  double seconds = 0;
  std::uint64_t commits = 0;
  double store_bytes = 0;
  std::uint64_t p50_us = 0, p99_us = 0, p999_us = 0;
};

// What happens while jobs are waited for and none ends.
struct BenchPatience {
  Millis limit{-1};                                 // longest time without an end; negative: none
  std::function<void(const std::string&)> waiting;  // called with why nothing runs, each reason once
  bool ran_out = false;                             // set: the error is that the limit passed
};

// Each runs a load and measures it from the first submit to the last answer. Errors: a job was refused or failed, or the
// patience ran out.
// Time of a job: submit to acknowledgement.
[[nodiscard]] Result<BenchFigures> bench_submit(client::Client& client, const BenchLoad& load);
// Submit to the notice of the end, with `window` jobs on their way.
[[nodiscard]] Result<BenchFigures> bench_lifecycle(client::Client& client, const BenchLoad& load, BenchPatience& patience);
// Submit to the notice of the end, one at a time; with a rate, from the moment the schedule named to the notice, so that a
// stall counts for every job that it delayed.
[[nodiscard]] Result<BenchFigures> bench_latency(client::Client& client, const BenchLoad& load, BenchPatience& patience);

}  // namespace rota::cli
