#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.h"
#include "client/job.h"
#include "common/base/job_id.h"
#include "common/base/result.h"

namespace rota::cli {

// A command whose words are ids, whole or shortened. Nothing is done unless every one of them stands for a job's id.
class IdsCommand : public Command {
 public:
  IdsCommand(std::string name, std::string help, std::size_t most = 0)
      : Command(std::move(name), std::move(help)), most_(most) {}

  [[nodiscard]] Positional positional() const override;
  [[nodiscard]] int run(Session& session) override;

 protected:
  // Before the connection is made.
  virtual void prepare(Session&) {}
  [[nodiscard]] virtual int run_with(Session& session, const std::vector<JobId>& ids) = 0;

 private:
  std::size_t most_;  // words; 0: no limit
};

// Prints what became of each job of a cancel or retry (`verb`). The exit code is that of the first that was refused.
[[nodiscard]] int print_outcomes(Session& session, const Result<std::vector<client::ItemOutcome>>& outcomes,
                                 std::string_view verb);

}  // namespace rota::cli
