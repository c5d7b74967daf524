#include "tests/history/known_jobs.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace rota::history {

namespace {

using nlohmann::json;

// Calls `take` with the entry of each job that the event names.
template <typename Take>
void each_job(const json& line, KnownJobs& jobs, const Take& take) {
  for (const json& text : line.at("ids")) {
    if (const auto id = parse_uuid(text.get_ref<const std::string&>())) take(jobs[*id]);
  }
}

void take_line(const json& line, KnownJobs& jobs) {
  const std::string& event = line.at("e").get_ref<const std::string&>();
  if (event == "submit") {
    const std::string& queue = line.at("queue").get_ref<const std::string&>();
    each_job(line, jobs, [&](KnownJob& job) { job.queue = queue; });
  } else if (event == "acked") {
    each_job(line, jobs, [](KnownJob& job) { job.acked = true; });
  } else if (event == "ended" || event == "merged") {
    each_job(line, jobs, [](KnownJob& job) { job.ended = true; });
  } else if (event == "refused" && line.value("final", 0) != 0) {
    each_job(line, jobs, [](KnownJob& job) { job.ended = true; });
  }
}

Status read_file(const std::filesystem::path& path, KnownJobs& jobs) {
  std::ifstream file(path);
  if (!file) return Error{Code::internal, path.string() + ": cannot be read"};
  std::string text;
  while (std::getline(file, text)) {
    if (file.eof()) break;  // without its end: cut short
    const json line = json::parse(text, nullptr, false);
    if (line.is_discarded()) return Error{Code::bad_message, path.string() + ": not a history: " + text.substr(0, 80)};
    take_line(line, jobs);
  }
  return {};
}

}  // namespace

Result<KnownJobs> read_known_jobs(const std::string& directory, const std::string& prefix) {
  KnownJobs jobs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(".jsonl")) continue;
    if (Status read = read_file(entry.path(), jobs); !read) return read.error();
  }
  if (error) return Error{Code::internal, directory + ": " + error.message()};
  // Ends of jobs that only others submitted (one that holds a key, say).
  std::erase_if(jobs, [](const auto& entry) { return entry.second.queue.empty(); });
  return jobs;
}

bool refused_for_good(Code code) { return !is_retryable(code) && code != Code::timed_out && code != Code::cancelled; }

}  // namespace rota::history
