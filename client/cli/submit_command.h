#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "client/cli/command.h"
#include "client/cli/job_source.h"
#include "client/cli/job_waiter.h"
#include "client/cli/submit_options.h"
#include "client/job_request.h"

namespace rota::cli {

// Submits a command, a job for a handler, or one job per line or index.
class SubmitCommand : public Command {
 public:
  SubmitCommand();
  void declare(program::Options& options, CLI::App* scope) override;
  [[nodiscard]] int run(Session& session) override;
  [[nodiscard]] bool takes_command_line() const override { return true; }

 private:
  [[nodiscard]] std::optional<Error> submit_all(Session& session, const SubmitOptions& job, JobSource& source);
  void on_submitted(Session& session, const client::SubmitResult& result);
  void print_answered(Session& session);
  void print(Session& session, const client::SubmitResult& result);
  [[nodiscard]] int wait_for_all();

  // An answer that waits for those before it, so that ids come out in the order of the jobs.
  struct Answer {
    JobId id;
    bool answered = false;
    client::SubmitResult result;  // without its message
  };
  [[nodiscard]] int cancel_all(Session& session);

  SubmitOptionSet set_;
  std::deque<Answer> answers_;
  client::Ticket next_printed_ = 0;
  std::vector<JobId> accepted_;
  std::optional<JobWaiter> waiter_;  // with --wait
  bool single_ = true;
  bool wait_ = false;
  bool stop_ = false;  // the broker cannot be reached or takes nothing for now: more would only fail too
  int exit_ = 0;
};

}  // namespace rota::cli
