#include "client/cli/job_text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/base/units.h"
#include "common/base/uuid.h"

namespace rota::cli {

namespace {

using Row = std::vector<std::string>;

// Left-aligned columns two blanks apart; the last one is not padded.
std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] + 2 - row[i].size(), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string value_text(const client::AdminValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "yes" : "no";
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.6g", std::get<double>(value));
  return buffer.data();
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

std::string state_text(const client::Job& job) {
  std::string text(job_state_name(job.state));
  if (job.cancel_requested && !is_final(job.state)) text += " (asked to stop)";
  return text;
}

std::string time_text(Wall at) { return at.ms == 0 ? "-" : format_time(at); }

}  // namespace

std::string job_facts(const client::Job& job) {
  std::vector<Row> rows;
  const auto add = [&rows](const char* name, std::string value) {
    if (!value.empty()) rows.push_back({name, std::move(value)});
  };
  const auto add_time = [&add](const char* name, Wall at) {
    if (at.ms != 0) add(name, format_time(at));
  };
  add("id", to_string(job.id));
  add("name", job.name);
  add("queue", job.queue);
  add("type", job.type);
  add("state", state_text(job));
  add("waiting for", job.waiting_for);
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
  add("error", job.error_code.empty() ? job.error_message
                                      : job.error_code + (job.error_message.empty() ? "" : ": " + job.error_message));
  add("result", is_final(job.state) ? format_size(job.result_size) : "");
  add("durability", std::string(durability_name(job.durability)));
  std::string text = aligned(rows);
  if (!job.stderr_tail.empty()) {
    text += "stderr\n" + job.stderr_tail;
    if (text.back() != '\n') text += '\n';
  }
  return text;
}

std::string job_table(const std::vector<client::Job>& jobs) {
  std::vector<Row> rows{{"ID", "QUEUE", "TYPE", "STATE", "ATTEMPT", "CREATED", "FINISHED", "WORKER", "NAME"}};
  for (const client::Job& job : jobs) {
    rows.push_back({to_string(job.id), job.queue, job.type, state_text(job), std::to_string(job.attempts),
                    time_text(job.created_at), time_text(job.finished_at), job.worker.empty() ? "-" : job.worker,
                    job.name});
  }
  return aligned(rows);
}

std::string row_table(const std::vector<client::AdminRow>& rows, bool as_table) {
  std::vector<Row> out;
  if (rows.empty()) return {};
  if (!as_table) {
    for (const client::AdminRow& row : rows) {
      for (const auto& [name, value] : row) out.push_back({name, value_text(value)});
    }
    return aligned(out);
  }
  const std::vector<std::string> columns = columns_of(rows);
  Row& head = out.emplace_back(columns);
  for (std::string& title : head) {
    std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
  }
  for (const client::AdminRow& row : rows) {
    Row& line = out.emplace_back(columns.size(), "-");
    for (const auto& [name, value] : row) {
      const auto column = std::find(columns.begin(), columns.end(), name);
      line[static_cast<std::size_t>(column - columns.begin())] = value_text(value);
    }
  }
  return aligned(out);
}

}  // namespace rota::cli
