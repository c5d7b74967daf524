#pragma once

#include <cstdint>
#include <string>

namespace rota::compare {

// What one run does. Numbers of jobs unless they say otherwise.
struct Load {
  std::string workload = "lifecycle";
  std::string peer;
  std::string address = "127.0.0.1";  // of the server; for Rota the endpoint of clients
  std::uint16_t port = 0;
  std::string workers_endpoint;  // Rota alone
  std::string durability = "memory";
  std::int64_t keep_ms = -1;  // Rota alone: the `keep` of the jobs; negative: the product's default
  std::uint64_t jobs = 100'000;
  std::uint64_t payload = 100;       // bytes
  std::uint64_t batch = 64;          // in one message or one pipelined write, at most
  std::uint64_t window = 1024;       // in flight at most: submitted and not known to be complete
  std::uint64_t unacknowledged = 0;  // submitted and not acknowledged at most; 0: only the window counts
  std::uint64_t rate = 0;            // latency: a second, from a fixed schedule; 0: one at a time
  std::uint64_t workers = 1;         // connections that work, each with its thread
  std::uint64_t clients = 1;         // connections that submit, each with its thread
  bool scattered = false;            // Rota's backlog: random priorities and delays
};

}  // namespace rota::compare
