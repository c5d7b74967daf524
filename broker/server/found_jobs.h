#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "broker/queue/record.h"
#include "common/base/job_id.h"

namespace rota::server {

// Finished jobs copied out of a store, by id, with the ids that were asked for. One thread at a time.
class FoundJobs {
 public:
  void asked(const JobId& id) { asked_.insert(id); }
  // One that is there already stays, unless it lacks a result that this one has.
  void add(const queue::FinishedJob& job);
  void add_without_payload(const queue::FinishedJob& job);
  // Copies all but payload and result, and the stderr tail unless wanted.
  void add_brief(const queue::FinishedJob& job, bool with_stderr);
  // Takes what `from` has of it, if it has it.
  bool take_over(const FoundJobs& from, const JobId& id);

  [[nodiscard]] bool was_asked(const JobId& id) const { return asked_.contains(id); }
  // Null: not a remembered finished job. Lives as long as this object.
  [[nodiscard]] const queue::FinishedJob* find(const JobId& id) const;
  // Bytes of its result that were left out of its report.
  [[nodiscard]] std::uint64_t left_out(const JobId& id) const;
  // All, as the core's commands want them: ids it does not name are ignored by it.
  [[nodiscard]] const std::vector<queue::FinishedJob>& all() const { return all_; }

 private:
  struct Owned {
    std::string bytes;
    queue::SharedRecord shared;
    std::uint64_t left_out = 0;
  };
  void add(const queue::FinishedJob& job, std::string_view body, std::string_view report, std::uint64_t left_out);

  std::deque<Owned> owned_;  // stable addresses
  std::vector<queue::FinishedJob> all_;
  absl::flat_hash_map<JobId, std::size_t> by_id_;
  absl::flat_hash_set<JobId> asked_;
};

}  // namespace rota::server
