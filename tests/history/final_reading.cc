#include "tests/history/final_reading.h"

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/limits.h"

namespace rota::history {

namespace {

constexpr std::size_t kConnections = 4;
constexpr std::size_t kPart = 8 * limits::kGetBatch;
constexpr Millis kWait{30'000};  // for ends that are there already

struct Ends {
  std::vector<JobId> ids;
  std::vector<std::string> results, errors;
};

// What GET says of a job, and WAIT if it has ended.
struct Answer {
  client::Job job;
  bool contradicted = false;  // WAIT told another end
};

// GET tells results one job a request, WAIT those of many; so GET tells the states, and WAIT the ends with results.
Result<std::vector<Answer>> ask(client::Client& client, std::span<const JobId> ids) {
  Result<std::vector<client::Job>> got = client.get(ids);
  if (!got) return got.error();
  std::vector<Answer> answers;
  std::vector<JobId> ended;
  std::unordered_map<JobId, std::size_t> places;
  for (client::Job& job : *got) {
    if (job.code == Code::ok && is_final(job.state)) {
      ended.push_back(job.id);
      places.emplace(job.id, answers.size());
    }
    answers.push_back({std::move(job)});
  }
  if (ended.empty()) return answers;
  const Status told = client.wait(ended, kWait, true, [&](const client::FinishedJob& end) {
    Answer& answer = answers[places.at(end.id)];
    answer.contradicted = end.code != Code::ok || end.state != answer.job.state || end.error_code != answer.job.error_code;
    answer.job.result = end.result;
  });
  if (!told) return told.error();
  return answers;
}

std::string state_of(const Answer& answer) {
  if (answer.contradicted) return "contradicted";  // no end: the job counts as lost
  return std::string(answer.job.code == Code::ok ? job_state_name(answer.job.state) : code_name(answer.job.code));
}

void write(const Log& log, const std::vector<Answer>& answers, ReadCounts& counts) {
  std::map<std::string, Ends> by_state;
  for (const Answer& answer : answers) {
    const client::Job& job = answer.job;
    const bool known = job.code == Code::ok;
    Ends& ends = by_state[state_of(answer)];
    ends.ids.push_back(job.id);
    ends.results.push_back(job.result.empty() ? std::string() : digest(job.result));
    ends.errors.push_back(job.error_code);
    ++counts.jobs;
    if (!known) ++counts.unknown;
    if (known && is_final(job.state)) ++counts.ended;
  }
  for (const auto& [state, ends] : by_state) {
    log.write(Line("final")
                  .text("state", state)
                  .ids("ids", ends.ids)
                  .texts("results", ends.results)
                  .texts("errors", ends.errors));
  }
}

// What one connection reads: its share of all ids.
Result<ReadCounts> read_share(const client::ClientOptions& options, const Log& log, std::span<const JobId> ids,
                              Steady until) {
  const auto time_left = [until] { return read_clocks().steady < until; };
  Result<client::Client> client = client::Client::connect(options);
  while (!client && time_left()) client = client::Client::connect(options);
  if (!client) return client.error();
  ReadCounts counts;
  while (!ids.empty()) {
    const auto part = ids.first(std::min(kPart, ids.size()));
    const Result<std::vector<Answer>> got = ask(*client, part);
    if (!got && !time_left()) return got.error();
    if (!got) continue;
    write(log, *got, counts);
    ids = ids.subspan(part.size());
  }
  return counts;
}

}  // namespace

Result<ReadCounts> read_all(const client::ClientOptions& options, const Log& log, const KnownJobs& jobs, Steady until) {
  std::vector<JobId> ids;
  ids.reserve(jobs.size());
  for (const auto& [id, job] : jobs) ids.push_back(id);
  const std::size_t share = ids.size() / kConnections + 1;
  std::vector<std::future<Result<ReadCounts>>> readers;
  for (std::size_t first = 0; first < ids.size(); first += share) {
    const std::span<const JobId> part{ids.data() + first, std::min(share, ids.size() - first)};
    readers.push_back(
        std::async(std::launch::async, [&options, &log, part, until] { return read_share(options, log, part, until); }));
  }
  ReadCounts all;
  std::optional<Error> failure;
  for (auto& reader : readers) {
    const Result<ReadCounts> counts = reader.get();
    if (!counts) {
      failure = counts.error();
      continue;
    }
    all.jobs += counts->jobs;
    all.ended += counts->ended;
    all.unknown += counts->unknown;
  }
  if (failure) return *failure;
  return all;
}

}  // namespace rota::history
