#include "worker/worker.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "worker/command_runner.h"
#include "worker/engine.h"
#include "worker/identity.h"

namespace rota::worker {
struct Worker::State {
  WorkerOptions options;
  Identity identity = identify_process();
  std::vector<Executor> executors;
  std::optional<CommandRunner> runner;

  // The engine exists from run() on; requests may come before.
  std::mutex mutex;
  std::unique_ptr<Engine> engine;
  bool drain_early = false, kill_early = false;
};

Worker::Worker(WorkerOptions options) : state_(std::make_shared<State>()) {
  State& state = *state_;
  state.options = std::move(options);
  ROTA_CHECK(!state.options.brokers.empty() && state.options.brokers.size() <= limits::kMaxBrokersPerWorker);
  ROTA_CHECK(state.options.slots >= 1 && state.options.slots <= limits::kMaxSlots);
  state.identity.name = state.options.name.empty() ? default_name() : state.options.name;
  state.identity.software = state.options.software;
  state.identity.queues = state.options.queues;
  state.identity.labels = state.options.labels;
}

Worker::~Worker() = default;

void Worker::handle(std::string type, Handler handler) {
  state_->identity.types.push_back({std::move(type), false});
  state_->executors.push_back({std::move(handler), std::nullopt});
}

void Worker::run_commands(std::string type, std::vector<std::string> argv, std::uint64_t max_output) {
  state_->identity.types.push_back({std::move(type), true});
  state_->executors.push_back({{}, CommandType{std::move(argv), max_output}});
}

Status Worker::start_spawner() {
  const Result<std::string> path = CommandRunner::find_spawner();
  if (!path) return path.error();
  Result<CommandRunner> runner = CommandRunner::start(*path);
  if (!runner) return runner.error();
  state_->runner.emplace(std::move(runner).value());
  return {};
}

Result<Ending> Worker::run() {
  const std::shared_ptr<State> state = state_;
  // Commands run in processes of their own, and the leader starts those.
  const bool has_handlers =
      std::any_of(state->executors.begin(), state->executors.end(), [](const Executor& one) { return !one.command; });
  const std::uint32_t wanted = has_handlers ? state->options.slots : 0;
  {
    const std::lock_guard lock{state->mutex};
    ROTA_CHECK(state->engine == nullptr);
    state->engine = std::make_unique<Engine>(state->options, state->identity, std::move(state->executors),
                                             std::exchange(state->runner, std::nullopt));
    if (state->drain_early) state->engine->ask_drain();
    if (state->kill_early) state->engine->ask_kill();
  }
  Engine& engine = *state->engine;
  const Status begun = engine.begin();
  if (!begun) return begun.error();
  std::unique_lock lock{engine.lead_mutex()};
  std::vector<std::thread> threads;
  try {
    threads.reserve(wanted);
    while (threads.size() < wanted) threads.emplace_back([state] { state->engine->follow(); });
  } catch (const std::exception& failure) {  // no more threads or no more memory
    engine.pool().close();
    for (std::thread& thread : threads) thread.join();
    return Error{Code::internal, "only " + std::to_string(threads.size()) + " of " + std::to_string(wanted) +
                                     " handler threads could be started: " + failure.what() +
                                     "; give fewer slots, or raise the limit of processes (ulimit -u, TasksMax=) or of "
                                     "memory (ulimit -v)"};
  }
  engine.lead(lock);
  if (lock.owns_lock()) lock.unlock();
  engine.follow();  // returns at once unless another thread leads now
  const std::lock_guard ended{engine.lead_mutex()};
  for (std::thread& thread : threads) {
    // A handler that never returns must not hold up the end; its thread keeps what it uses alive.
    if (engine.someone_is_stuck()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  return *engine.ending();
}

void Worker::drain() {
  const std::lock_guard lock{state_->mutex};
  state_->drain_early = true;
  if (state_->engine) state_->engine->ask_drain();
}

void Worker::kill() {
  const std::lock_guard lock{state_->mutex};
  state_->kill_early = true;
  if (state_->engine) state_->engine->ask_kill();
}

const std::string& Worker::name() const { return state_->identity.name; }

}  // namespace rota::worker
