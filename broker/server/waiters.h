#pragma once

#include <cstdint>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker/queue/chunked_slab.h"
#include "broker/server/outbox.h"
#include "common/base/job_id.h"

namespace rota::server {

// Which clients wait for the end of which jobs. A wait ends with the job, or with the client. Bounded per client and in
// all; it grows a chunk at a time. Not thread-safe.
class Waiters {
 public:
  struct Waiter {
    Route client = 0;
    std::uint64_t request = 0;
    bool with_result = false;
  };

  // False: a limit is reached. The same client, request and job again is one wait.
  [[nodiscard]] bool add(const JobId& job, const Waiter& waiter);
  // Those who waited for a job that has ended. They count as waiting until next() has told of them, and leave with their
  // clients.
  using List = std::uint32_t;
  static constexpr List kNobody = queue::kNone;
  struct Taken {
    List list = kNobody;
    bool with_result = false;  // one of them may want it
    bool alone = false;        // it is one
  };
  // Takes all who wait for `job`: who waits for it from now on is not among them.
  [[nodiscard]] Taken take(const JobId& job);
  // The next of a list; its wait ends with that. False: there is none left, and no list.
  [[nodiscard]] bool next(List list, Waiter& out);
  // The client is gone. Its waits are dropped by later sweep() calls.
  void forget_client(Route client);
  // Drops up to `budget` waits of clients that are gone. True: more are left.
  bool sweep(std::size_t budget);

  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] bool has_room(Route client, std::size_t more) const;

 private:
  static constexpr std::uint32_t kNone = queue::kNone;
  // On two doubly linked lists: of its job and of its client. A list that was taken begins with a node of nobody.
  struct Node {
    JobId job;
    std::uint64_t request = 0;
    Route client = 0;
    std::uint32_t job_next = kNone, job_before = kNone;
    std::uint32_t client_next = kNone, client_before = kNone;
    bool with_result = false;

    std::uint32_t& free_link() { return job_next; }
  };
  struct OfJob {
    std::uint32_t first = kNone;
    bool with_result = false;  // one of them wanted it
  };
  struct OfClient {
    std::uint32_t first = kNone;
    std::uint32_t count = 0;
  };
  void unlink_from_job(std::uint32_t index);
  void unlink_from_client(std::uint32_t index);
  void release(std::uint32_t index);

  queue::ChunkedSlab<Node> nodes_;
  std::size_t used_ = 0;  // without the nodes of nobody
  absl::flat_hash_map<JobId, OfJob> jobs_;
  absl::flat_hash_map<Route, OfClient> clients_;
  std::vector<std::uint32_t> doomed_;  // first nodes of clients that are gone
};

}  // namespace rota::server
