#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/code.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/wire/job_parts.h"

// Messages between a worker and the broker. Part of common/wire/message.h.
namespace rota::wire {

struct DispatchShared {
  std::string_view queue, type;
  Millis time_limit{0};
  bool stop_on_disconnect = false;
  std::string_view spec;  // bytes of encode_spec(), embedded as they are
  bool operator==(const DispatchShared&) const = default;
};
struct DispatchItem {
  std::uint32_t shared = 0;
  std::uint64_t dispatch = 0;
  JobId id;
  std::uint32_t attempt = 1;
  Selector selector;
  std::string_view payload;
  Millis expires_in{0};  // 0: never
  bool operator==(const DispatchItem&) const = default;
};
struct Dispatch {
  std::uint64_t epoch = 0;
  std::vector<DispatchShared> shared;
  std::vector<DispatchItem> items;
  bool operator==(const Dispatch&) const = default;
};
struct CompleteItem {
  TokenOf job;
  AttemptEnd end = AttemptEnd::succeeded;
  Millis started_ago{0};
  Report report;  // its `worker` is not sent: the broker knows it
  bool operator==(const CompleteItem&) const = default;
};
struct Complete {
  std::uint64_t started_through = 0;
  std::uint32_t credit = 0;
  std::vector<CompleteItem> items;
  bool operator==(const Complete&) const = default;
};
struct Completed {
  std::vector<Code> codes;  // OK, STALE or GONE, item by item
  bool operator==(const Completed&) const = default;
};
struct Renew {
  std::uint64_t started_through = 0;
  std::uint32_t credit = 0;
  struct Progress {
    TokenOf job;
    double fraction = 0;  // 0 … 1
    std::string_view message;
    bool operator==(const Progress&) const = default;
  };
  std::vector<Progress> progress;
  bool operator==(const Renew&) const = default;
};
struct Renewed {
  Millis lease{0};
  bool operator==(const Renewed&) const = default;
};
struct Reclaim {  // broker to worker
  std::vector<TokenOf> jobs;
  bool operator==(const Reclaim&) const = default;
};
struct Released {  // worker to broker; not answered: the next HELLO reconciles
  std::vector<TokenOf> jobs;
  std::uint32_t credit = 0;
  bool operator==(const Released&) const = default;
};
struct CancelJobs {  // broker to worker
  std::vector<TokenOf> jobs;
  bool operator==(const CancelJobs&) const = default;
};
struct Drain {  // broker to worker
  bool operator==(const Drain&) const = default;
};

}  // namespace rota::wire
