#pragma once

#include <ctime>

#include <cstdint>

namespace rota::compare {

// CLOCK_MONOTONIC: the same in every process of the machine, so that the server's syncs can be held against it.
inline std::int64_t now_ns() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<std::int64_t>(at.tv_sec) * 1'000'000'000 + at.tv_nsec;
}

}  // namespace rota::compare
