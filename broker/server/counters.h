#pragma once

#include <array>
#include <cstdint>

#include "common/base/code.h"

namespace rota::server {

// What the engine counts since start, beside the core's own counters. Read by the loop thread only.
struct ServerCounters {
  std::uint64_t frames_in = 0, frames_out = 0, bytes_out = 0;
  std::uint64_t bad_messages = 0;  // undecodable, malformed, or not of this side
  std::uint64_t refused_peers = 0;
  std::array<std::uint64_t, kCodeCount> refusals{};  // whole requests and items answered with an error, by code
  std::uint64_t commits = 0, committed_jobs = 0, store_bytes_written = 0, commit_us = 0;
  std::uint64_t store_reads = 0;
  std::uint64_t notices = 0;
  std::uint64_t swept = 0, forgotten = 0, forgotten_early = 0;  // by the store's maintenance
};

}  // namespace rota::server
