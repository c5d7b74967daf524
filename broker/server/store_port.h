#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "broker/server/body_slots.h"
#include "broker/server/found_jobs.h"
#include "broker/store/store.h"
#include "common/base/result.h"

namespace rota::server {

// A batch on its way to disk.
struct CommitTask {
  std::uint64_t number = 0;
  std::unique_ptr<store::Batch> batch;
  // filled by whoever carries it out:
  Status status;
  store::CommitInfo info;
  std::int64_t microseconds = 0;
};

// A look into the store.
struct ReadTask {
  std::uint64_t number = 0;  // the engine's, to know it again
  std::vector<queue::Sequence> sequences;
  std::vector<JobId> ids;
  bool with_body = false;
  // filled by whoever carries it out:
  Status status;
  BodySlots bodies;  // one slot a sequence; unfilled where nothing is stored
  FoundJobs found;
};

// Where the engine has its store work done: threads in the program, by hand in tests, in simulated time in the simulator.
// At most one commit is under way at a time. Results come back through Engine::on_committed() and Engine::on_read(), never
// from within these calls. Reads are carried out in the order they were asked for.
class StorePort {
 public:
  virtual ~StorePort() = default;
  virtual void commit(std::unique_ptr<CommitTask> task) = 0;
  virtual void read(std::unique_ptr<ReadTask> task) = 0;
};

// What carrying out means. commit: store thread only; read: any one thread.
void carry_out(store::Store& store, CommitTask& task);
void carry_out(store::Store& store, ReadTask& task);

}  // namespace rota::server
