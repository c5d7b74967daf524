#pragma once

#include <cstdint>
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

// Each runs a load and measures it from the first submit to the last answer. Errors: a job was refused or failed.
// Time of a job: submit to acknowledgement.
[[nodiscard]] Result<BenchFigures> bench_submit(client::Client& client, const BenchLoad& load);
// Submit to the notice of the end, with `window` jobs on their way.
[[nodiscard]] Result<BenchFigures> bench_lifecycle(client::Client& client, const BenchLoad& load);
// Submit to the notice of the end, one at a time; with a rate, from the moment the schedule named to the notice, so that a
// stall counts for every job that it delayed.
[[nodiscard]] Result<BenchFigures> bench_latency(client::Client& client, const BenchLoad& load);

}  // namespace rota::cli
