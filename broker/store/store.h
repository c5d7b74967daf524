#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/change.h"
#include "broker/queue/record.h"
#include "common/base/result.h"

namespace rota::store {

// Where a shard's numbers go on after opening.
struct Opened {
  std::uint64_t epoch = 1;  // already raised and durable
  std::uint64_t next_sequence = 1;
  std::uint64_t next_dispatch = 1;
  Wall id_clock;
  Uuid broker_id;  // made once per store
  std::uint64_t live_jobs = 0;
};

// Receives what load() finds. Views live during the call only.
class LoadSink {
 public:
  virtual ~LoadSink() = default;
  virtual void live_job(const queue::LiveJob& job) = 0;
  virtual void paused_queue(std::string_view queue) = 0;
};

// Changes of one group commit, encoded by the loop thread and written by the store thread. Made by Store::new_batch().
// stage() copies everything it needs. Changes that cancel out within the batch are dropped.
class Batch {
 public:
  virtual ~Batch() = default;
  virtual void stage(const queue::Change& change) = 0;
  // Numbers to remember across a crash; the highest wins.
  virtual void note_id_clock(Wall id_clock) = 0;
  [[nodiscard]] virtual bool empty() const = 0;
  [[nodiscard]] virtual std::size_t bytes() const = 0;  // held in memory
  // The shared spec and body of a job accepted in this batch; nothing if it is not of this batch.
  struct Body {
    std::string_view queue, type, spec, body;
    queue::Policy policy;
    std::string_view report{};  // of the last attempt, where the job goes on after one
  };
  [[nodiscard]] virtual std::optional<Body> find(queue::Sequence sequence) const = 0;
};

struct CommitInfo {
  std::uint64_t jobs = 0;   // accepted in it
  std::uint64_t bytes = 0;  // handed to the engine
};

struct Usage {
  std::uint64_t file_bytes = 0;       // allocated
  std::uint64_t used_bytes = 0;       // in use of those
  std::uint64_t limit_bytes = 0;      // --store-limit or --memory-limit
  std::uint64_t reserve_bytes = 0;    // kept to finish what is queued
  std::uint64_t free_bytes = 0;       // room for new jobs: what file, limit and disk leave beside the reserve
  std::uint64_t disk_free_bytes = 0;  // free on the file system that the store is on; 0 if it is on none
  std::uint64_t finished_bytes = 0;   // of retained finished jobs, about
  std::uint64_t finished_jobs = 0;
  bool accepts_submits = true;  // false: only the reserve is left (STORE_FULL)
  bool grows = false;           // it does not, only until the next commits have lengthened the file (RETRY_LATER)
  std::string why_not;
  bool is_tight = false;  // half the reserve is used up as well: nothing new should be begun
};

struct FinishedQuery {
  bool with_body = false;  // job.body filled
};

// Which finished jobs list() gives: those that match everything that is set.
struct ListQuery {
  JobId below{};                             // only ids under this one; nil: from the newest
  Wall since{};                              // only ids made at this time or later (time_of(id)); ms 0: all
  std::string queue, type;                   // empty: any
  std::uint32_t states = kFinalStates;       // state_bit() of each
  std::size_t most = 100;                    // jobs given at most; 0 counts as 1
  std::size_t visits = limits::kListVisits;  // records looked at, at most; 0 counts as 1
  bool with_body = false;                    // as FinishedQuery
};
struct ListPage {
  JobId reached{};    // every match at or above this id was given; meaningful if `more`
  bool more = false;  // there may be matches below `reached`
  std::size_t visited = 0;
};

struct MaintainInfo {
  std::uint64_t swept = 0, forgotten = 0;
  std::uint64_t forgotten_early = 0;  // by --finished-limit, before their keep was over
  bool more = false;                  // call again soon
};

// One shard's durable state. Threads: open/load before anything else; new_batch and Batch::stage on the loop thread;
// commit and maintain on the store thread only; bodies, find, list and usage on any thread, at any time after load.
// An error from commit is final: nothing can be trusted, the process must end.
class Store {
 public:
  virtual ~Store() = default;

  // Once. Reports every live job and paused queue, raises the epoch durably, finishes an interrupted sweep.
  [[nodiscard]] virtual Result<Opened> load(LoadSink& sink) = 0;
  [[nodiscard]] virtual std::unique_ptr<Batch> new_batch() = 0;
  // Durable when it returns (lmdb) or done (memory).
  [[nodiscard]] virtual Result<CommitInfo> commit(Batch& batch) = 0;
  // Calls `sink(i, body)` for every sequences[i] that is stored; skipped ones do not exist. NOT_FOUND is not an error;
  // a damaged record is (INTERNAL, naming table and key).
  [[nodiscard]] virtual Status bodies(std::span<const queue::Sequence> sequences,
                                      const std::function<void(std::size_t, const Batch::Body&)>& sink) = 0;
  // As bodies(), but payloads (Body::body) are left out; a store that has to fetch them does not.
  [[nodiscard]] virtual Status outlines(std::span<const queue::Sequence> sequences,
                                        const std::function<void(std::size_t, const Batch::Body&)>& sink) {
    return bodies(sequences, [&sink](std::size_t i, Batch::Body body) {
      body.body = {};
      sink(i, body);
    });
  }
  // Calls `sink(i, job)` for every ids[i] that is a finished, remembered job.
  [[nodiscard]] virtual Status find(std::span<const JobId> ids, const FinishedQuery& query,
                                    const std::function<void(std::size_t, const queue::FinishedJob&)>& sink) = 0;
  // Calls `sink(job)` for finished, remembered jobs that match, newest id first. One call looks at a bounded number of
  // records and may give few jobs, or none, and `more`. A record that does not match is not checked for damage.
  [[nodiscard]] virtual Result<ListPage> list(const ListQuery& query,
                                              const std::function<void(const queue::FinishedJob&)>& sink) = 0;
  // Sweeps finished jobs, forgets those whose time is over, keeps space allocated ahead. A bounded slice of work.
  [[nodiscard]] virtual Result<MaintainInfo> maintain(Wall now) = 0;
  [[nodiscard]] virtual Usage usage() const = 0;
};

struct StoreOptions {
  std::uint64_t store_limit = limits::kDefaultStoreLimit;
  std::uint64_t finished_limit = limits::kDefaultFinishedLimit;
  Millis dedup_window = limits::kDefaultDedupWindow;
};

// Opens or creates the LMDB store in `directory` (made if missing), and locks it. Errors: RETRY_LATER if another process
// holds the lock (message names directory and pid), FORBIDDEN if it cannot be written, VERSION if its format is newer.
[[nodiscard]] Result<std::unique_ptr<Store>> open_lmdb(const std::string& directory, const StoreOptions& options);

// Keeps everything in memory, within `memory_limit` bytes; oldest outcomes go first.
[[nodiscard]] std::unique_ptr<Store> make_memory(const StoreOptions& options, std::uint64_t memory_limit);

}  // namespace rota::store
