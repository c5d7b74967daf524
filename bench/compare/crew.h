#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "bench/compare/peer.h"

namespace rota::compare {

// The workers of a run, each with its thread.
class Crew {
 public:
  Crew(Peer& peer, Progress& progress, std::uint64_t count);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Begins to work; returns when all are ready to take jobs if `await` says so.
  void start(bool await);
  // When all jobs are completed.
  void stop();

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace rota::compare
