#include "client/cli/broker_commands.h"

#include <unistd.h>

#include <cstdio>

#include "client/cli/job_json.h"
#include "client/cli/job_text.h"
#include "client/cli/session.h"
#include "client/cli/text_style.h"
#include "common/base/names.h"
#include "common/program/exit_code.h"

namespace rota::cli {

namespace {

// Quiet: the names that a table begins with, of queues or workers.
void print_rows(const Session& session, const std::vector<client::AdminRow>& rows, bool as_table) {
  if (session.output() == Output::json) {
    for (const client::AdminRow& row : rows) std::printf("%s\n", row_json(row).c_str());
  } else if (session.output() == Output::text) {
    std::fputs(row_table(rows, as_table, text_style(STDOUT_FILENO)).c_str(), stdout);
  } else if (as_table) {
    for (const client::AdminRow& row : rows) {
      if (!row.empty()) std::printf("%s\n", std::string(client::text_in(row, row.front().first)).c_str());
    }
  }
}

// Shows what the broker says to a verb.
class ShowCommand : public Command {
 public:
  ShowCommand(std::string verb, std::string help, bool as_table, std::string nothing)
      : Command(std::move(verb), std::move(help)), as_table_(as_table), nothing_(std::move(nothing)) {}

  int run(Session& session) override {
    if (!session.connect()) return session.connect_exit();
    const Result<std::vector<client::AdminRow>> rows = session.client().admin(name());
    if (!rows) return session.fail_request(rows.error());
    print_rows(session, *rows, as_table_);
    if (rows->empty() && session.output() == Output::text) session.notice(nothing_);
    return 0;
  }

 private:
  bool as_table_;
  std::string nothing_;
};

class PingCommand : public Command {
 public:
  PingCommand() : Command("ping", "Measure the round-trip time") {}

  int run(Session& session) override {
    if (!session.connect()) return session.connect_exit();
    const Result<std::int64_t> micros = session.client().ping();
    if (!micros) return session.fail_request(micros.error());
    if (session.output() == Output::json) {
      std::printf("%s\n", row_json({{"broker", session.broker()}, {"round_trip_us", *micros}}).c_str());
    } else if (session.output() == Output::text) {
      std::printf("%s answered in %.3f ms\n", session.broker().c_str(), static_cast<double>(*micros) / 1000);
    }
    return 0;
  }
};

// Does something to one queue or worker.
class ActOnCommand : public Command {
 public:
  ActOnCommand(std::string verb, std::string help, std::string subject)
      : Command(std::move(verb), std::move(help)), subject_(std::move(subject)) {}

  Positional positional() const override {
    return {subject_ == "queue" ? "Q" : "WORKER", "The " + subject_ + "'s name", 1, 1};
  }

  int run(Session& session) override {
    const std::string& target = arguments().front();
    const bool is_queue = subject_ == "queue";
    if (is_queue ? !is_valid_queue_name(target) : !is_valid_worker_name(target)) {
      return session.usage(is_queue ? "'" + target + "' is no queue's name: those are 1 to 64 of A-Z a-z 0-9 . _ -"
                                    : "'" + target + "' is no worker's name: those are printable and without blanks");
    }
    if (!session.connect()) return session.connect_exit();
    const Result<std::vector<client::AdminRow>> rows = session.client().admin(name(), {{subject_, target}});
    if (!rows && rows.error().code == Code::not_found) {
      return session.fail({Code::not_found, subject_ + " '" + target + "': " + rows.error().message});
    }
    if (!rows) return session.fail_request(rows.error());
    tell(session, target);
    return 0;
  }

 private:
  void tell(const Session& session, const std::string& target) const {
    if (session.output() == Output::json) {
      const std::string fact = is_drain() ? "draining" : "paused";
      std::printf("%s\n", row_json({{subject_, target}, {fact, name() != "resume"}}).c_str());
    } else if (session.output() == Output::text) {
      const char* const now = is_drain() ? "finishes what runs, then ends" : name() == "pause" ? "is paused" : "goes on";
      std::printf("%s %s %s\n", subject_.c_str(), target.c_str(), now);
    }
  }
  [[nodiscard]] bool is_drain() const { return subject_ == "worker"; }

  std::string subject_;
};

}  // namespace

void add_broker_commands(std::vector<std::unique_ptr<Command>>& commands) {
  commands.push_back(
      std::make_unique<ShowCommand>("queues", "Show the queues with their jobs by state", true, "no queues yet"));
  commands.push_back(std::make_unique<ActOnCommand>("pause", "Let a queue hand out nothing", "queue"));
  commands.push_back(std::make_unique<ActOnCommand>("resume", "Let a paused queue go on", "queue"));
  commands.push_back(std::make_unique<ShowCommand>("workers", "Show the connected workers", true, "no workers connected"));
  commands.push_back(std::make_unique<ActOnCommand>("drain", "Let a worker finish what runs and leave", "worker"));
  commands.push_back(std::make_unique<ShowCommand>("stats", "Show the broker's counters", false, "no counters"));
  commands.push_back(std::make_unique<PingCommand>());
}

}  // namespace rota::cli
