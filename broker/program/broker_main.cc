#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>

#include "broker/program/broker_options.h"
#include "broker/program/serve.h"
#include "broker/program/store_commands.h"
#include "common/program/exit_code.h"
#include "common/program/log.h"
#include "common/program/options.h"
#include "common/program/standard_streams.h"

int main(int argc, char** argv) {
  rota::program::open_standard_streams();
  try {
    rota::program::Options options("rota-broker", "Keeps Rota's queue and hands jobs to workers.");
    rota::broker::BrokerOptions asked;
    if (const std::optional<int> exit = rota::broker::read_options(options, argc, argv, asked)) return *exit;
    if (asked.task == rota::broker::Task::check) return rota::broker::check_store(asked.data);
    if (asked.task == rota::broker::Task::backup) return rota::broker::back_up_store(asked.data, asked.target);
    const std::shared_ptr<spdlog::logger> log =
        rota::program::make_logger("rota-broker", asked.log_level, asked.log_format);
    return rota::broker::serve(asked, *log);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rota-broker: %s\n", error.what());
    return rota::program::kExitInternal;
  }
}
