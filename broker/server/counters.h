#pragma once

#include <array>
#include <cstdint>

#include "common/base/code.h"
#include "common/base/histogram.h"

namespace rota::server {

// Microseconds: from a sync that a drive's cache answers to a disk that hangs.
inline constexpr std::array<std::uint64_t, 17> kCommitBounds = {
    50,     100,     200,     500,     1'000,     2'000,     5'000,     10'000,    20'000,
    50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000};
// Jobs accepted in one commit. Many accept none: what they hold are dispatches and completions.
inline constexpr std::array<std::uint64_t, 14> kCommitJobsBounds = {0,   1,   2,   5,    10,   20,   50,
                                                                    100, 200, 500, 1000, 2000, 5000, 10000};

// What the engine counts since start, beside the core's own counters. Read by the loop thread only.
struct ServerCounters {
  std::uint64_t frames_in = 0;
  std::uint64_t bad_messages = 0;  // undecodable, malformed, or not of this side
  std::uint64_t refused_peers = 0;
  // Answers by code: whole requests that got an error, and every item of SUBMITTED, RESULTS and COMPLETED. What is neither
  // OK nor DUPLICATE is a refusal.
  std::array<std::uint64_t, kCodeCount> refusals{};
  std::uint64_t commits = 0, committed_jobs = 0, store_bytes_written = 0, commit_us = 0;
  Histogram<kCommitBounds> commit_time;
  Histogram<kCommitJobsBounds> commit_jobs;
  std::uint64_t store_reads = 0;
  std::uint64_t notices = 0;
  std::uint64_t purged = 0;                                     // jobs, queued and finished ones
  std::uint64_t swept = 0, forgotten = 0, forgotten_early = 0;  // by the store's maintenance
};

}  // namespace rota::server
