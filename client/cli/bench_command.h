#pragma once

#include "client/cli/bench_load.h"
#include "client/cli/command.h"

namespace rota::cli {

// Load for measuring: submit, lifecycle, latency, and the no-op worker.
class BenchCommand : public Command {
 public:
  BenchCommand();
  void declare(program::Options& options, CLI::App* scope) override;
  [[nodiscard]] Positional positional() const override;
  [[nodiscard]] int run(Session& session) override;

 private:
  [[nodiscard]] int measure(Session& session, const std::string& workload);
  void print(const Session& session, const std::string& workload, const BenchFigures& figures) const;

  BenchLoad load_;
  std::int64_t jobs_ = -1;  // negative: the workload's own
  std::int64_t batch_ = 64;
  std::int64_t window_ = 1000;
  std::int64_t rate_ = 0;
  std::int64_t workers_ = 0;
  std::int64_t slots_ = 1;
  std::string workers_endpoint_;
  std::string worker_name_;
};

}  // namespace rota::cli
