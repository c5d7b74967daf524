#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/net/socket.h"
#include "worker/command.h"
#include "worker/command_runner.h"
#include "worker/link.h"
#include "worker/pool.h"
#include "worker/worker.h"

namespace rota::worker {

// How jobs of one type are run: by one of the two.
struct Executor {
  Handler handler;
  std::optional<CommandType> command;
};

// The leading thread's work: cores, sockets, spawner, and short handlers. Everything here but the marked members belongs
// to whoever holds `lead`.
class Engine {
 public:
  Engine(const WorkerOptions& options, Identity identity, std::vector<Executor> executors,
         std::optional<CommandRunner> runner);

  [[nodiscard]] Status begin();
  // Leads until the work has ended or another thread took the lead. Call with `lead` held through `lock`.
  void lead(std::unique_lock<std::mutex>& lock);
  // What every other thread does until the pool is closed; it may come to lead.
  void follow();

  // Any thread.
  void ask_drain();
  void ask_kill();
  [[nodiscard]] Pool& pool() { return pool_; }
  [[nodiscard]] std::mutex& lead_mutex() { return lead_mutex_; }

  // After the end.
  [[nodiscard]] const std::optional<Ending>& ending() const { return ending_; }
  [[nodiscard]] bool someone_is_stuck() const { return runs_out_ > 0; }

 private:
  struct CommandRun {
    std::uint32_t link = 0;
    Handle job;
  };

  void take_inputs(Steady now);
  void take_done(Steady now);
  void take_ended_commands(Steady now);
  void obey_requests(Steady now);
  void command_ended(const spawner::Ended& ended, Steady now);
  void spawner_died(Steady now);
  void turn_all(Steady now);
  void start(std::uint32_t link, Handle job, Steady now);
  void start_handler(std::uint32_t link, Handle job, const Assignment& what, const Executor& executor);
  void start_command(std::uint32_t link, Handle job, const Assignment& what, const CommandType& type, Steady now);
  void stop(std::uint32_t link, const Stop& request);
  void note_taken();
  [[nodiscard]] bool runs_here(const Core& core, std::uint32_t type) const;
  // Runs what waits in here_ for a slice of time. False: another thread took the lead meanwhile.
  [[nodiscard]] bool run_slice(std::unique_lock<std::mutex>& lock);
  void wait_for_input(Steady now);
  void notify(const Link& link, const Notice& notice);
  void settle_ending();
  Run& lend_run();
  void give_back(Run& run);

  std::vector<Executor> executors_;  // by type index of the identity
  Observer observer_;
  Millis drain_timeout_;
  std::optional<CommandRunner> runner_;
  net::Context context_;
  Slots slots_;
  std::deque<Link> links_;
  std::size_t first_link_ = 0;  // rotates, so that no broker is always served first

  std::deque<Run> runs_;  // stable addresses
  std::vector<Run*> free_runs_;
  std::unordered_map<std::uint64_t, Run*> live_runs_;  // by link and table row, for stops
  std::size_t runs_out_ = 0, quick_out_ = 0;
  std::int64_t quick_since_us_ = 0;
  std::deque<std::pair<std::uint32_t, Handle>> pushed_;  // to the pool and not yet known to be taken
  std::uint64_t known_taken_ = 0;
  std::deque<Run*> here_;  // to be run by the leader itself

  std::uint64_t next_command_ = 1;
  std::unordered_map<std::uint64_t, CommandRun> commands_;
  std::vector<Done> done_;
  std::vector<ProgressReport> progress_;
  std::vector<net::WaitItem> items_;
  Steady drain_until_ = kNeverSteady, progress_look_ = kNeverSteady;
  std::optional<Ending> ending_;

  Pool pool_;  // any thread, as it says
  std::mutex lead_mutex_;
  std::atomic<bool> drain_asked_{false}, kill_asked_{false};
  // The leader runs a handler since then; 0: it does not. Who moves it back to 0, the leader itself or another thread that
  // holds lead_mutex_, leads on.
  std::atomic<std::int64_t> here_since_us_{0};
  std::atomic<std::int64_t> last_here_us_{0};
};

}  // namespace rota::worker
