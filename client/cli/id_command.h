#pragma once

#include <cstdint>
#include <string>

#include "client/cli/command.h"
#include "common/base/names.h"

namespace rota::cli {

// Makes ids for `submit --id`.
class IdCommand : public Command {
 public:
  IdCommand();
  void declare(program::Options& options, CLI::App* scope) override;
  [[nodiscard]] int run(Session& session) override;

 private:
  std::string queue_{kDefaultQueue};
  std::int64_t count_ = 1;
};

}  // namespace rota::cli
