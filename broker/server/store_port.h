#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
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
  enum class Asker : std::uint8_t { pipeline, parking, listings, bulk };
  Asker asker = Asker::parking;  // who gets it back
  std::uint64_t number = 0;      // the asker's, to know it again
  std::vector<queue::Sequence> sequences;
  std::vector<JobId> ids;
  // One entry an id, or none at all: whom it is read for. Payloads are left out then, and results where only facts are
  // wanted. A reader is given limits::kReaderBytes; what goes beyond counts as not asked for a WAIT, which asks again, and
  // is brief for a GET.
  enum class Want : std::uint8_t { facts, wait, get };
  struct Reader {
    std::uint32_t number = 0;
    Want want = Want::facts;
  };
  std::vector<Reader> readers;
  bool brief = false;                    // payloads and results are left out of what is found: a list would be huge
  std::optional<store::ListQuery> list;  // besides
  // filled by whoever carries it out:
  Status status;
  BodySlots bodies;  // one slot a sequence; unfilled where nothing is stored
  FoundJobs found;   // with asker bulk also what is listed
  std::vector<JobId> listed;
  store::ListPage page;
};

// Any finished job of `queue`: whether the store knows the queue.
[[nodiscard]] store::ListQuery any_finished_of(std::string_view queue);

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
// Answers for the finished jobs among task.ids that are never stored, and takes them off the list. In the calling thread:
// memory does not fault.
void look_up_in_memory(store::Store& volatile_store, ReadTask& task);

}  // namespace rota::server
