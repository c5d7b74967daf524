#include "client/cli/job_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "client/cli/shown_text.h"
#include "common/base/units.h"
#include "common/base/uuid.h"

namespace rota::cli {

namespace {

using Cell = Table::Cell;

// Name and value a line, values below each other.
std::string upright(const std::vector<std::pair<std::string, Cell>>& facts, const TextStyle& style) {
  constexpr std::size_t kGap = 2;
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, display_width(name));
  std::string text;
  for (const auto& [name, value] : facts) {
    text += coloured(name, Colour::bold, style);
    text.append(width + kGap - display_width(name), ' ');
    text += coloured(shown_line(value.text), value.colour, style) + '\n';
  }
  return text;
}

std::string value_text(std::string_view name, const client::AdminValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "yes" : "no";
  std::array<char, 64> buffer{};
  const char* const format = name.ends_with("_per_s") ? "%.1f" : "%.6g";
  std::snprintf(buffer.data(), buffer.size(), format, std::get<double>(value));
  return buffer.data();
}

// What somebody should look at stands out.
Colour value_colour(std::string_view name, const client::AdminValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    if (name == "connected") return *flag ? Colour::none : Colour::red;
    return *flag && (name == "paused" || name == "draining") ? Colour::yellow : Colour::none;
  }
  const auto* count = std::get_if<std::int64_t>(&value);
  const auto state = parse_job_state(name);
  return state && count != nullptr && *count > 0 ? state_colour(*state) : Colour::none;
}

// Which columns of the tables of queues and workers go first from a narrow terminal.
unsigned drop_rank(std::string_view name) {
  constexpr std::array<std::string_view, 20> kOrder{
      "credit",         "lease_left_ms", "pid",       "version",   "labels",    "host",   "oldest_ready_s",
      "finishes_per_s", "submits_per_s", "expired",   "cancelled", "succeeded", "failed", "draining",
      "connected",      "slots",         "scheduled", "held",      "running",   "ready"};
  const auto* const found = std::find(kOrder.begin(), kOrder.end(), name);
  return found == kOrder.end() ? 0U : static_cast<unsigned>(found - kOrder.begin()) + 1;
}

// What somebody who looks at queues or workers wants to know first.
bool is_vital(std::string_view name) {
  constexpr std::array<std::string_view, 4> kVital{"scheduled", "held", "running", "ready"};
  return std::find(kVital.begin(), kVital.end(), name) != kVital.end();
}

std::string title_of(std::string_view name) {
  std::string title(name);
  std::transform(title.begin(), title.end(), title.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return title;
}

// Every column that some row has; one that only later rows have stands behind the one it follows there.
std::vector<std::string> columns_of(const std::vector<client::AdminRow>& rows) {
  std::vector<std::string> columns;
  for (const client::AdminRow& row : rows) {
    auto next = columns.begin();
    for (const auto& [name, value] : row) {
      auto at = std::find(columns.begin(), columns.end(), name);
      if (at == columns.end()) at = columns.insert(next, name);
      next = at + 1;
    }
  }
  return columns;
}

bool is_number(const std::vector<client::AdminRow>& rows, std::string_view column) {
  for (const client::AdminRow& row : rows) {
    for (const auto& [name, value] : row) {
      if (name == column) return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
    }
  }
  return false;
}

std::string state_text(const client::Job& job) {
  std::string text(job_state_name(job.state));
  if (job.cancel_requested && !is_final(job.state)) text += " (asked to stop)";
  return text;
}

std::string age_text(std::int64_t ms) {
  constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (ms < kMinute) return std::to_string(ms / kSecond) + "s";
  if (ms < kHour) return std::to_string(ms / kMinute) + "m";
  return ms < 2 * kDay ? std::to_string(ms / kHour) + "h" : std::to_string(ms / kDay) + "d";
}

}  // namespace

Colour state_colour(JobState state) {
  switch (state) {
    case JobState::succeeded:
      return Colour::green;
    case JobState::failed:
      return Colour::red;
    case JobState::cancelled:
    case JobState::expired:
      return Colour::yellow;
    case JobState::running:
      return Colour::cyan;
    case JobState::scheduled:
    case JobState::blocked:
      return Colour::blue;
    case JobState::ready:
      break;
  }
  return Colour::none;
}

std::string time_text(Wall at, const TextStyle& style) {
  if (at.ms == 0) return "-";
  if (style.now.ms == 0) return format_time(at);
  // Clocks of two hosts differ a little: what has happened did not happen later.
  return at.ms > style.now.ms + 1000 ? "in " + age_text(at.ms - style.now.ms)
                                     : age_text(std::max<std::int64_t>(0, style.now.ms - at.ms)) + " ago";
}

std::string job_facts(const client::Job& job, const TextStyle& style) {
  std::vector<std::pair<std::string, Cell>> facts;
  const auto add = [&facts](const char* name, std::string value, Colour colour = Colour::none) {
    if (!value.empty()) facts.emplace_back(name, Cell(std::move(value), colour));
  };
  const auto add_time = [&](const char* name, Wall at) {
    if (at.ms == 0) return;
    add(name, style.now.ms == 0 ? format_time(at) : format_time(at) + " (" + time_text(at, style) + ")");
  };
  add("id", to_string(job.id));
  add("name", job.name);
  add("queue", job.queue);
  add("type", job.type);
  add("state", state_text(job), state_colour(job.state));
  add("waiting for", job.waiting_for, Colour::yellow);
  if (job.progress) {
    const std::string percent = std::to_string(static_cast<int>(*job.progress * 100)) + " %";
    add("progress", job.progress_message.empty() ? percent : percent + ", " + job.progress_message);
  }
  add("priority", job.priority == 0 ? "" : std::to_string(job.priority));
  add("attempt", std::to_string(job.attempts));
  add("losses", job.losses == 0 ? "" : std::to_string(job.losses));
  add("retries", job.retries == 0 ? "" : std::to_string(job.retries));
  add("key", job.key);
  add_time("created", job.created_at);
  add_time("runs at", is_final(job.state) || job.run_at <= job.created_at ? Wall{} : job.run_at);
  add_time("started", job.started_at);
  add_time("finished", job.finished_at);
  add("worker", job.worker);
  add("exit code", job.exit_code ? std::to_string(*job.exit_code) : "");
  add("signal", job.signal ? std::to_string(*job.signal) : "");
  add("error",
      job.error_code.empty() ? job.error_message
                             : job.error_code + (job.error_message.empty() ? "" : ": " + job.error_message),
      Colour::red);
  add("result", is_final(job.state) ? format_size(job.result_size) : "");
  add("durability", std::string(durability_name(job.durability)));
  std::string text = upright(facts, style);
  if (!job.stderr_tail.empty()) {
    text += coloured("stderr", Colour::bold, style) + '\n' + shown_lines(job.stderr_tail);
    if (text.back() != '\n') text += '\n';
  }
  return text;
}

std::string job_table(const std::vector<client::Job>& jobs, const TextStyle& style) {
  constexpr std::size_t kShortId = 13;  // an ellipsis and the last group of digits, by which commands know it too
  constexpr std::size_t kShortName = 8;
  Table table({{.title = "ID", .least = kShortId, .keep_end = true},
               {.title = "QUEUE", .least = kShortName},
               {.title = "TYPE", .least = kShortName, .drop = 3},
               {.title = "STATE"},
               {.title = "ATTEMPT", .right = true, .drop = 2},
               {.title = "CREATED", .drop = 5},
               {.title = "FINISHED", .drop = 1},
               {.title = "WORKER", .least = kShortName, .drop = 4},
               {.title = "NAME", .least = kShortName, .drop = 6}});
  for (const client::Job& job : jobs) {
    table.add({to_string(job.id), job.queue, job.type, Cell(state_text(job), state_colour(job.state)),
               std::to_string(job.attempts), time_text(job.created_at, style), time_text(job.finished_at, style),
               job.worker.empty() ? "-" : job.worker, job.name});
  }
  return table.render(style);
}

std::string row_table(const std::vector<client::AdminRow>& rows, bool as_table, const TextStyle& style) {
  if (rows.empty()) return {};
  if (!as_table) {
    std::vector<std::pair<std::string, Cell>> facts;
    for (const client::AdminRow& row : rows) {
      for (const auto& [name, value] : row)
        facts.emplace_back(name, Cell(value_text(name, value), value_colour(name, value)));
    }
    return upright(facts, style);
  }
  const std::vector<std::string> names = columns_of(rows);
  std::vector<Table::Column> columns;
  for (const std::string& name : names) {
    const bool is_text = !is_number(rows, name);
    columns.push_back({.title = title_of(name),
                       .right = !is_text,
                       .least = is_text ? name.size() : 0,
                       .keep_end = columns.empty(),  // the name of the queue or worker is cut last
                       .drop = drop_rank(name),
                       .vital = is_vital(name)});
  }
  Table table(std::move(columns));
  for (const client::AdminRow& row : rows) {
    std::vector<Cell> cells(names.size(), Cell("-"));
    for (const auto& [name, value] : row) {
      const auto column = std::find(names.begin(), names.end(), name);
      cells[static_cast<std::size_t>(column - names.begin())] = Cell(value_text(name, value), value_colour(name, value));
    }
    table.add(std::move(cells));
  }
  return table.render(style);
}

}  // namespace rota::cli
