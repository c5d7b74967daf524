#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/record.h"
#include "broker/server/waiters.h"
#include "common/wire/message.h"

namespace rota::server {

// The ends of jobs that a turn has to tell clients, gathered into one NOTIFY per client and request. Not thread-safe.
class Notices {
 public:
  // The job's end; its report is copied.
  void add(const Waiters::Waiter& waiter, const queue::OutcomeRecord& outcome, Durability durability);
  // The job is not known (any more). `reason` must be a literal.
  void add_unknown(const Waiters::Waiter& waiter, const JobId& id, std::string_view reason, Durability durability);

  // Encodes all of them, cut at limits::kDispatchBytes and kMaxBatch, and empties itself. `at_once`: about memory jobs
  // only. The frame dies with the call.
  using Sink = std::function<void(Route client, std::string_view frame, bool at_once)>;
  void flush(const Sink& sink);

  [[nodiscard]] bool empty() const { return notices_.empty(); }

 private:
  struct Notice {
    Waiters::Waiter waiter;
    bool at_once = false;
    Code code = Code::ok;
    std::string_view reason;
    queue::OutcomeRecord outcome;  // its report stands in reports_
    std::size_t report_at = 0, report_size = 0;
  };
  void flush_range(std::size_t first, std::size_t last, const Sink& sink);

  std::vector<Notice> notices_;
  std::string reports_;
  std::string frame_;
  wire::Notify message_;
};

}  // namespace rota::server
