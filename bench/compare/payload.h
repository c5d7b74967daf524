#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace rota::compare {

// A job's bytes: its number, then filling. Shorter than 8 bytes is not possible.
class Payload {
 public:
  explicit Payload(std::uint64_t size) : bytes_(size < sizeof(std::uint64_t) ? sizeof(std::uint64_t) : size, 'x') {}
  // Valid until the next call.
  [[nodiscard]] std::string_view of(std::uint64_t job) {
    std::memcpy(bytes_.data(), &job, sizeof job);
    return bytes_;
  }

 private:
  std::string bytes_;
};

[[nodiscard]] inline std::uint64_t job_of(std::string_view payload) {
  std::uint64_t job = 0;
  if (payload.size() >= sizeof job) std::memcpy(&job, payload.data(), sizeof job);
  return job;
}

}  // namespace rota::compare
