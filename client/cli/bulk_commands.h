#pragma once

#include <cstdint>
#include <string>

#include "client/cli/command.h"

namespace rota::cli {

// Puts final jobs back to ready: those named, or those of a queue.
class RetryCommand : public Command {
 public:
  RetryCommand() : Command("retry", "Put final jobs back to ready, under the same id: by id, or those of a queue") {}
  void declare(program::Options& options, CLI::App* scope) override;
  [[nodiscard]] Positional positional() const override;
  [[nodiscard]] int run(Session& session) override;

 private:
  std::string queue_;
  std::uint32_t states_ = 0;  // 0: not given
};

// Forgets the jobs of a queue.
class PurgeCommand : public Command {
 public:
  PurgeCommand() : Command("purge", "Forget the jobs of a queue for good; running ones are left alone") {}
  void declare(program::Options& options, CLI::App* scope) override;
  [[nodiscard]] int run(Session& session) override;

 private:
  std::string queue_;
  std::uint32_t states_ = 0;  // 0: not given
  bool yes_ = false;
};

}  // namespace rota::cli
