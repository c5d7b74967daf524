#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/session.h"
#include "client/cli/wait_display.h"
#include "client/job.h"

namespace rota::cli {

struct WaitOptions {
  bool show_progress = true;      // a bar on a terminal, a summary elsewhere
  bool write_through = false;     // a single job: its stdout and stderr become ours, its exit code too
  bool print_each = false;        // a line on stdout for each job that ends
  bool cancel_on_signal = false;  // the first signal cancels the jobs, the second leaves
};

// Waits until jobs are final, showing what happens.
class JobWaiter {
 public:
  JobWaiter(Session& session, const WaitOptions& options) : session_(session), options_(options) {}
  // Takes notices from now on: for jobs that are submitted with `notify` and may end before all are submitted.
  void listen();
  // `ids` without repetitions. Without listen() before, it asks the broker about them. The exit code of the contract.
  [[nodiscard]] int run(std::vector<JobId> ids);

 private:
  // How a job ended: those told of before run() are counted by it, and the rest may have to be named or cancelled.
  struct Ended {
    JobId id;
    bool known = false;
    bool succeeded = false;
  };
  void on_final(const client::FinishedJob& job);
  void count(const Ended& job);
  void count_early();
  void clear_display();
  void explain_waiting();
  // Nothing: go on waiting.
  [[nodiscard]] std::optional<int> on_interrupted();
  [[nodiscard]] std::optional<int> run_until_final(std::int64_t start_us);
  [[nodiscard]] std::vector<JobId> unfinished() const;
  int finish();
  int write_single_through();
  // Nothing: the job's result is there, whole.
  [[nodiscard]] std::optional<int> fetch_result(client::Job& job);

  Session& session_;
  std::vector<JobId> ids_;
  WaitOptions options_;
  std::optional<WaitDisplay> display_;  // of run()
  std::vector<Ended> ended_;
  bool listening_ = false;
  std::uint64_t done_ = 0, succeeded_ = 0, unknown_ = 0;
  std::optional<client::Job> single_;  // the end of a single job
  bool cancelling_ = false;
  bool running_seen_ = false;
  std::int64_t next_explanation_us_ = 0;
  std::string explanation_;
};

}  // namespace rota::cli
