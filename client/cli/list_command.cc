#include "client/cli/list_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/cli/job_json.h"
#include "client/cli/job_text.h"
#include "client/cli/option_takers.h"
#include "client/cli/queue_error.h"
#include "client/cli/session.h"
#include "client/cli/text_style.h"
#include "common/program/exit_code.h"

namespace rota::cli {

namespace {

// A slip of the hand above that: one page after the other is printed as it comes, so memory sets no limit.
constexpr std::int64_t kMostJobs = 1'000'000'000;

constexpr std::uint32_t kAllStates = kQueuedStates | state_bit(JobState::running) | kFinalStates;

// Rows that are aligned with one another: a longer table is printed in parts.
constexpr std::size_t kTableRows = limits::kMaxListJobs;

}  // namespace

ListCommand::ListCommand() : Command("list", "List jobs, newest first"), limit_(limits::kDefaultListJobs) {}

// None from the environment or the file: a filter that nobody sees makes a list wrong.
void ListCommand::declare(program::Options& options, CLI::App* scope) {
  const auto add = [&](const char* name, const char* placeholder, const char* help, program::Options::Taker taker) {
    options.add(
        {.scope = scope, .name = name, .placeholder = placeholder, .help = help, .environment = "", .in_file = false},
        std::move(taker));
  };
  add("queue", "Q", "Only jobs of this queue", queue_name(filter_.queue));
  add("state", "S,...", "Only jobs in one of these states", job_states(filter_.states, kAllStates));
  add("type", "T", "Only jobs of this type", type_name(filter_.type));
  add("since", "DUR", "Only jobs made within this long", program::Options::duration(filter_.since, Millis{1}));
  add("limit", "N", "How many at most [100]", program::Options::integer(limit_, 1, kMostJobs));
  add("from", "CURSOR", "Go on where an earlier list with the same filters ended", list_cursor(from_));
}

int ListCommand::run(Session& session) {
  if (!session.connect()) return session.connect_exit();
  std::string cursor = from_;
  do {
    const auto wanted = static_cast<std::uint32_t>(std::min<std::int64_t>(limit_ - printed_, limits::kMaxListJobs));
    Result<client::JobPage> page = session.client().list_page(filter_, wanted, cursor);
    if (!page) {
      print_rows();
      return session.fail_request(about_queue(page.error(), filter_.queue));
    }
    take(session, std::move(page->jobs));
    cursor = std::move(page->cursor);
  } while (printed_ < limit_ && !cursor.empty());
  print_rows();
  return tell_end(session, std::move(cursor));
}

void ListCommand::take(Session& session, std::vector<client::Job>&& jobs) {
  printed_ += static_cast<std::int64_t>(jobs.size());
  for (client::Job& job : jobs) {
    if (session.output() == Output::json) {
      std::printf("%s\n", job_json(job).c_str());
    } else if (session.output() == Output::quiet) {
      std::printf("%s\n", to_string(job.id).c_str());
    } else {
      rows_.push_back(std::move(job));
      if (rows_.size() == kTableRows) print_rows();
    }
  }
}

void ListCommand::print_rows() {
  if (rows_.empty()) return;
  const TextStyle style = text_style(STDOUT_FILENO);
  const std::string table = job_table(rows_, style);
  // On a terminal each part has the columns for which it has room and values, so each says which they are.
  const std::size_t skipped = has_header_ && style.columns == 0 ? table.find('\n') + 1 : 0;
  std::fputs(table.c_str() + skipped, stdout);
  has_header_ = true;
  rows_.clear();
}

// Says whether that was all. A list that ends by its limit is looked at once more, so that the last page of many does not
// send anybody on to an empty one.
int ListCommand::tell_end(Session& session, std::string cursor) {
  bool certain = false;
  if (!cursor.empty()) {
    Result<client::JobPage> next = session.client().list_page(filter_, 1, cursor);
    if (!next) return session.fail_request(next.error());
    certain = !next->jobs.empty();
    if (!certain) cursor = std::move(next->cursor);
  }
  if (cursor.empty()) {
    if (printed_ == 0 && session.output() == Output::text) session.notice("no jobs match");
    return program::kExitOk;
  }
  // In quiet as well: who pipes the ids must not take a part for the whole.
  session.flush_out();
  if (session.output() == Output::json) {
    std::fprintf(stderr, "%s\n", more_json(hex_text(cursor)).c_str());
  } else {
    std::fprintf(stderr, certain ? "rota: there are more; add --from %s\n" : "rota: there may be more; add --from %s\n",
                 hex_text(cursor).c_str());
  }
  return program::kExitOk;
}

}  // namespace rota::cli
