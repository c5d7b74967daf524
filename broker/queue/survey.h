#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "broker/queue/record.h"

namespace rota::queue {

class JobTable;

// Which of the jobs that a core holds a survey looks for: those that match everything that is set.
struct SurveyFilter {
  std::string queue, type;                  // empty: any
  std::uint32_t states = UINT32_MAX;        // as in common/base/job_state.h
  JobId below;                              // ids under this one; nil: from the newest
  JobId from;                               // this id and above; nil: to the oldest
  Wall since{INT64_MIN};                    // ids made then or later
  std::size_t most = limits::kMaxListJobs;  // how many of them, the newest
};

// A search for the newest jobs (by id) over everything that a core holds, live and recently finished. It goes over the
// core's chunks of entries from the one with the newest ids on, one a call (Core::survey), and ends where no chunk that is
// left can hold a newer one than what it has. Jobs that come, end or are forgotten between two calls may be missed or be
// found: whoever shows them looks at each again. A job that stays what it is is not missed.
class Survey {
 public:
  explicit Survey(SurveyFilter filter) : filter_(std::move(filter)) {}

  [[nodiscard]] bool is_done() const { return done_; }
  // When done: there are, or may be, older ones that match.
  [[nodiscard]] bool is_cut() const { return cut_; }
  // When done: what was found, newest first.
  [[nodiscard]] std::vector<JobId> take();

 private:
  friend class Core;

  void begin(const JobTable& jobs);
  void offer(const JobId& id);

  SurveyFilter filter_;
  std::vector<std::uint32_t> chunks_;  // still to look at; the next one is the last
  std::vector<JobId> best_;            // a heap: the oldest on top
  bool begun_ = false, done_ = false, cut_ = false;
};

}  // namespace rota::queue
