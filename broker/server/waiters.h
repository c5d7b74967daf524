#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker/server/outbox.h"
#include "common/base/job_id.h"

namespace rota::server {

// Which clients wait for the end of which jobs. A wait ends with the job, or with the client. Bounded per client and in
// all. Not thread-safe.
class Waiters {
 public:
  struct Waiter {
    Route client = 0;
    std::uint64_t request = 0;
    bool with_result = false;
  };

  // False: a limit is reached. The same client, request and job again is one wait.
  [[nodiscard]] bool add(const JobId& job, const Waiter& waiter);
  // Ends every wait for `job` and appends who waited.
  void take(const JobId& job, std::vector<Waiter>& out);
  // The client is gone. Its waits are dropped by later sweep() calls.
  void forget_client(Route client);
  // Drops up to `budget` waits of clients that are gone. True: more are left.
  bool sweep(std::size_t budget);

  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] bool has_room(Route client, std::size_t more) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // On two doubly linked lists: of its job and of its client.
  struct Node {
    JobId job;
    std::uint64_t request = 0;
    Route client = 0;
    std::uint32_t job_next = kNone, job_before = kNone;
    std::uint32_t client_next = kNone, client_before = kNone;
    bool with_result = false;
  };
  struct OfClient {
    std::uint32_t first = kNone;
    std::uint32_t count = 0;
  };
  void unlink_from_job(std::uint32_t index);
  void unlink_from_client(std::uint32_t index);
  void release(std::uint32_t index);

  std::vector<Node> nodes_;
  std::uint32_t free_ = kNone;  // chained through job_next
  std::size_t used_ = 0;
  absl::flat_hash_map<JobId, std::uint32_t> jobs_;  // first node
  absl::flat_hash_map<Route, OfClient> clients_;
  std::vector<std::uint32_t> doomed_;  // first nodes of clients that are gone
};

}  // namespace rota::server
