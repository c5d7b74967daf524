#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/client.h"
#include "tests/history/history_log.h"
#include "tests/history/job_plan.h"
#include "tests/history/known_jobs.h"

namespace rota::history {

struct LoadSettings {
  std::vector<std::string> queues;
  std::uint64_t jobs = 0;  // then no more; 0: until stopped
  std::uint64_t rate = 0;  // jobs a second; 0: as the window allows
  std::uint64_t batch = 64;
  std::uint64_t window = 2000;  // jobs without an end at most
  std::uint64_t cancels = 0;    // of a thousand jobs
  Mix mix;
};

// Submits jobs, submits again what was refused for now, and waits for every end; logs all of it. One thread.
class LoadClient {
 public:
  LoadClient(client::Client& client, const Log& log, LoadSettings settings);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // Takes over what an earlier process left open: submits what was not acknowledged, waits for what has no end.
  [[nodiscard]] Status adopt(const KnownJobs& jobs);
  // One step of the load: submits if there is room and more is wanted, then handles what arrives, at most 50 ms long.
  [[nodiscard]] Status turn(bool submit_more);
  [[nodiscard]] std::size_t open() const { return open_.size(); }
  [[nodiscard]] std::uint64_t submitted() const { return submitted_; }
  [[nodiscard]] bool all_submitted() const { return settings_.jobs > 0 && submitted_ >= settings_.jobs; }

 private:
  struct Open {
    std::string queue;
    bool acked = false;
  };
  struct Ends {
    std::vector<JobId> ids;
    std::vector<std::string> results, errors;
  };

  [[nodiscard]] std::uint64_t room();
  [[nodiscard]] Status submit_batch(std::uint64_t count);
  // The line with the ids and payload digests, then the submits.
  [[nodiscard]] Status submit(const std::string& queue, std::vector<JobId> ids, bool again);
  [[nodiscard]] Status submit_refused();
  [[nodiscard]] Status cancel_some();
  void submitted(const client::SubmitResult& result);
  void ended(const client::FinishedJob& job);
  void write_told();

  client::Client& client_;
  const Log& log_;
  LoadSettings settings_;
  std::unordered_map<JobId, Open> open_;  // submitted and without an end
  std::uint64_t submitted_ = 0;
  std::int64_t began_us_ = 0;
  std::size_t next_queue_ = 0;
  std::vector<JobId> to_cancel_;
  client::Ticket next_ticket_ = 0;                   // as the client numbers them
  std::unordered_map<client::Ticket, JobId> keyed_;  // submits that another job may answer

  // What was told since the last write_told().
  std::vector<JobId> acked_, merged_, merged_into_;
  std::map<std::pair<Code, bool>, std::vector<JobId>> refused_;  // by code and whether that is final
  std::map<std::string, Ends> ended_;                            // by state
  std::map<Code, std::vector<JobId>> unknown_;

  std::vector<JobId> again_;  // to submit again
  std::int64_t again_at_us_ = 0;
};

}  // namespace rota::history
