#include "bench/compare/crew.h"

namespace rota::compare {

Crew::Crew(Peer& peer, Progress& progress, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) workers_.push_back(peer.worker(progress));
}

Crew::~Crew() { stop(); }

void Crew::start(bool await) {
  for (const auto& worker : workers_) threads_.emplace_back([&worker = *worker] { worker.run(); });
  if (!await) return;
  for (const auto& worker : workers_) worker->await_ready();
}

void Crew::stop() {
  if (threads_.empty()) return;
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace rota::compare
