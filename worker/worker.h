#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "worker/actions.h"
#include "worker/job.h"

namespace rota::worker {

// What the user of a worker may want to say to people. Called from the leading thread, which is some thread of the worker:
// be quick, and do not call the worker back except drain() and kill(). `broker` is the endpoint as it was given.
struct Observer {
  std::function<void(const std::string& broker)> registered;
  std::function<void(const std::string& broker)> waiting;  // not reached for a second since the start
  std::function<void(const std::string& broker, const std::string& why)> lost_contact;
  std::function<void(const std::string& broker)> back;
  std::function<void(const std::string& broker, const std::string& what)> trouble;
};

struct WorkerOptions {
  std::vector<std::string> brokers;                           // workers' endpoints; one session with each
  std::vector<std::pair<std::string, std::uint32_t>> queues;  // with weights
  std::uint32_t slots = 1;                                    // jobs at a time, of all brokers together
  std::string name;                                           // empty: host name and a random suffix
  std::vector<std::pair<std::string, std::string>> labels;
  std::string software = "rota";
  Millis drain_timeout{0};  // a drain becomes a kill after this; 0: never
  Observer observer;
};

// Takes jobs from one or more brokers and runs them: handlers on `slots` threads, commands through rota-spawner.
//
// Threads: run() leads in the calling thread and adds `slots` threads if there are handlers. One thread at a time, the
// leader, owns all sockets; it runs handlers itself that have proven to be very short, and another thread takes the lead if
// one of those hangs.
class Worker {
 public:
  explicit Worker(WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before run(). Serves jobs of `type` by a function.
  void handle(std::string type, Handler handler);
  // Before run(). Serves jobs of `type` by a command: `argv`, or the job's own where it is empty.
  void run_commands(std::string type, std::vector<std::string> argv, std::uint64_t max_output);
  // Before run(), where run_commands() was called: starts rota-spawner. Before any ZeroMQ context of the process exists.
  [[nodiscard]] Status start_spawner();

  // Works until drained, killed, refused or broken. Once. Errors: BAD_MESSAGE (an endpoint is not understood),
  // INTERNAL (not as many threads as slots could be started; nothing was taken from a broker).
  // If a handler never returned, its thread is left behind, and the process should end soon.
  [[nodiscard]] Result<Ending> run();

  // From any thread, and before run() too. Hands back what is not started, finishes what runs, ends.
  void drain();
  // From any thread. Gives up what runs, which counts as lost, and ends within limits::kKillPatience or so.
  void kill();

  [[nodiscard]] const std::string& name() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with threads that a stuck handler holds
};

}  // namespace rota::worker
