#include "client/cli/bench_worker.h"

#include <sys/prctl.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "common/program/version.h"
#include "worker/worker.h"

namespace rota::cli {

namespace {

sigset_t waited_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);  // ends the waiting thread
  return signals;
}

}  // namespace

Status run_bench_worker(const BenchWorkerOptions& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // no worker outlives the benchmark that started it
  const sigset_t signals = waited_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  worker::WorkerOptions settings;
  settings.brokers = {options.broker};
  settings.queues = {{options.queue, 1}};
  settings.slots = options.slots;
  settings.name = options.name;
  settings.software = "rota bench " + std::string(program::kVersion);
  worker::Worker worker(std::move(settings));
  std::atomic<std::uint64_t> done{0};
  worker.handle(kBenchType, [&](const worker::Job&, worker::Context&) {
    if (done.fetch_add(1, std::memory_order_relaxed) + 1 == options.jobs) worker.drain();
    return worker::Outcome::success();
  });
  std::thread signal_thread([&] {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal != SIGUSR1) worker.drain();
  });
  const Result<worker::Ending> ended = worker.run();
  ::pthread_kill(signal_thread.native_handle(), SIGUSR1);
  signal_thread.join();
  if (!ended) return ended.error();
  if (ended->kind == worker::Ending::Kind::refused) return Error{ended->code, ended->message};
  return {};
}

}  // namespace rota::cli
