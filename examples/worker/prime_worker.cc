// A worker of one's own: serves jobs of type "primes" with a C++ function. Each payload is a number as text; the result is
// how many primes are below it.
//
//   prime-worker tcp://127.0.0.1:5556
//   rota submit --type primes --payload 1000000 --wait
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "worker/worker.h"

namespace {

using rota::worker::Context;
using rota::worker::Job;
using rota::worker::Outcome;

Outcome count_primes(const Job& job, Context& context) {
  std::uint32_t below = 0;
  const char* const end = job.payload.data() + job.payload.size();
  if (std::from_chars(job.payload.data(), end, below).ptr != end || below > 100'000'000) {
    // Trying again cannot help: reject, so that `retries` are not spent on it.
    return Outcome::rejection("BAD_PAYLOAD", "the payload must be a number up to 100000000");
  }
  std::vector<bool> composite(below);
  std::uint64_t primes = 0;
  for (std::uint64_t number = 2; number < below; ++number) {
    if (composite[number]) continue;
    ++primes;
    for (std::uint64_t multiple = number * number; multiple < below; multiple += number) composite[multiple] = true;
    if (primes % 1024 != 0) continue;
    if (context.stop_requested()) return Outcome::failure("STOPPED", "asked to stop");
    context.progress(static_cast<double>(number) / below, "sieving");
  }
  return Outcome::success(std::to_string(primes));
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread exists, so that all inherit it: SIGTERM and SIGINT are for the thread below alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  rota::worker::WorkerOptions options;
  options.brokers = {argc > 1 ? argv[1] : "tcp://127.0.0.1:5556"};
  options.queues = {{"default", 1}};
  options.slots = std::max(1U, std::thread::hardware_concurrency());
  options.observer.registered = [](const std::string& broker) {
    std::printf("serving primes at %s\n", broker.c_str());
    std::fflush(stdout);
  };
  rota::worker::Worker worker{options};
  worker.handle("primes", count_primes);

  std::thread{[&worker, &signals] {
    int number = 0;
    sigwait(&signals, &number);
    worker.drain();  // running jobs finish, the rest goes back to the queue
  }}.detach();
  const auto ending = worker.run();
  if (!ending.ok()) std::fprintf(stderr, "prime-worker: %s\n", ending.error().message.c_str());
  return ending.ok() && ending->kind == rota::worker::Ending::Kind::drained ? 0 : 1;
}
