#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/job.h"

namespace rota::cli {

// Jobs by filter, newest first.
class ListCommand : public Command {
 public:
  ListCommand();
  void declare(program::Options& options, CLI::App* scope) override;
  [[nodiscard]] int run(Session& session) override;

 private:
  void take(Session& session, std::vector<client::Job>&& jobs);
  void print_rows();
  [[nodiscard]] int tell_end(Session& session, std::string cursor);

  client::JobFilter filter_;
  std::int64_t limit_;
  std::string from_;  // the cursor's bytes; empty: from the newest
  std::int64_t printed_ = 0;
  std::vector<client::Job> rows_;  // of a table, not yet printed
  bool has_header_ = false;
};

}  // namespace rota::cli
