#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace rota::cli {

// The type of the jobs that the benchmarks submit.
inline constexpr const char* kBenchType = "bench.noop";

struct BenchWorkerOptions {
  std::string broker;  // the workers' endpoint
  std::string queue;
  std::string name;        // empty: the library's own
  std::uint64_t jobs = 0;  // leave after so many; 0: when told to
  std::uint32_t slots = 1;
};

// Serves jobs that do nothing until `jobs` are acknowledged, SIGTERM or SIGINT. Changes the signal mask of the process.
[[nodiscard]] Status run_bench_worker(const BenchWorkerOptions& options);

}  // namespace rota::cli
