#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "broker/store/record_format.h"
#include "broker/store/store.h"

namespace rota::store {

// A piece of a batch's arena.
struct Piece {
  std::size_t offset = 0;
  std::size_t size = 0;
};
struct StagedShared {
  Piece payload;           // append_shared()
  std::uint32_t uses = 0;  // jobs of the batch that name it
  // What the payload says: it is asked for with every job of the batch.
  Piece queue, type, spec;
  queue::Policy policy;
};
struct StagedJob {
  queue::Sequence sequence = 0;
  std::uint32_t shared = 0;  // index of StagedShared
  std::uint32_t body_size = 0;
  Piece fields;  // append_job(), body last
  JobId id;
  std::uint8_t flags = 0;
  bool dropped = false;  // forgotten within the batch
};
struct StagedState {
  queue::Sequence sequence = 0;
  Piece payload;
};
struct StagedLease {
  queue::LeaseRecord lease;
  bool dropped = false;  // ended within the batch
};
// What ends, revives or removes a job, in the order in which it was staged.
struct StagedEnd {
  enum class Kind : std::uint8_t {
    outcome,
    deletion,  // of a live job, or of one that ended within the batch: no outcome was ever stored
    forget,    // of a job that may be live or finished: the store finds out
    revive,
  };
  Kind kind = Kind::outcome;
  JobId id;
  queue::Sequence sequence = 0;      // revive: the old one
  queue::Sequence new_sequence = 0;  // revive
  std::uint64_t lease = 0;           // stored lease to delete; 0: none
  Wall forget_at;                    // outcome
  Piece payload;                     // outcome
};
struct StagedPause {
  std::string queue;
  bool paused = false;
};

// The memory of a batch, kept from one batch to the next so that staging allocates nothing once it has grown.
struct BatchBuffers {
  std::string arena;
  std::vector<StagedShared> shared;
  std::vector<StagedJob> jobs;
  std::vector<StagedState> states;
  std::vector<StagedLease> leases;                          // in order of dispatch
  absl::btree_map<std::uint64_t, StagedLease> late_leases;  // re-attached: their numbers came before those at hand
  std::vector<std::uint64_t> ended_leases;                  // dispatch numbers of stored leases
  std::vector<StagedEnd> ends;
  std::vector<StagedPause> pauses;

  void clear();
  [[nodiscard]] std::string_view at(Piece piece) const { return {arena.data() + piece.offset, piece.size}; }
  [[nodiscard]] Piece piece_of(std::string_view part) const {
    return {static_cast<std::size_t>(part.data() - arena.data()), part.size()};
  }
};

// Lends buffers to batches. Thread-safe. Outlives them through shared ownership.
class BatchPool {
 public:
  [[nodiscard]] std::unique_ptr<BatchBuffers> take();
  void give_back(std::unique_ptr<BatchBuffers> buffers);

  // Bytes staged in batches that are not committed yet.
  std::atomic<std::uint64_t> staged_bytes{0};

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BatchBuffers>> free_;
};

// The batch of both engines: changes encoded into one arena, sorted into kinds. Not thread-safe; handed from the loop
// thread to the store thread.
class StagedBatch final : public Batch {
 public:
  StagedBatch(std::shared_ptr<BatchPool> pool, bool checksum_bodies);
  ~StagedBatch() override;
  StagedBatch(const StagedBatch&) = delete;
  StagedBatch& operator=(const StagedBatch&) = delete;

  void stage(const queue::Change& change) override;
  void note_id_clock(Wall id_clock) override;
  [[nodiscard]] bool empty() const override;
  [[nodiscard]] std::size_t bytes() const override;
  [[nodiscard]] std::optional<Body> find(queue::Sequence sequence) const override;

  // For the engines, which also sort them in place.
  [[nodiscard]] BatchBuffers& buffers() { return *buffers_; }
  // Puts the late leases among the others. Nothing is staged after it.
  void merge_leases();
  // The job was accepted and forgotten within the batch: its states are not written either.
  [[nodiscard]] bool is_dropped(queue::Sequence sequence) const;
  [[nodiscard]] std::optional<Wall> id_clock() const { return id_clock_; }
  // Highest numbers named by any change, dropped ones included: they were given out.
  [[nodiscard]] queue::Sequence highest_sequence() const { return highest_sequence_; }
  [[nodiscard]] std::uint64_t highest_dispatch() const { return highest_dispatch_; }
  // Empty again, for the next use.
  void reset();

 private:
  void add(const queue::JobAccepted& change);
  void add(const queue::JobChanged& change);
  void add(const queue::JobLeased& change);
  void add(const queue::LeaseEnded& change);
  void add(const queue::JobFinished& change);
  void add(const queue::JobRevived& change);
  void add(const queue::JobForgotten& change);
  void add(const queue::QueuePaused& change);
  void add_state(const queue::StateRecord& state);
  std::uint32_t shared_index(const queue::SharedRecord& shared);
  [[nodiscard]] bool is_shared(std::uint32_t index, const queue::SharedRecord& shared) const;
  [[nodiscard]] StagedLease* lease_of(std::uint64_t dispatch);
  // Of the ends staged so far, those of `id`.
  [[nodiscard]] std::uint32_t& ends_of(const JobId& id);
  // Drops the lease if it is of this batch; else its number, to be deleted from the store.
  std::uint64_t end_lease(Token token);
  [[nodiscard]] const StagedJob* job_of(queue::Sequence sequence) const;
  void count_bytes();

  std::shared_ptr<BatchPool> pool_;
  std::unique_ptr<BatchBuffers> buffers_;
  // Hash of a shared part → its index. Equal hashes of different parts cost a second copy, nothing else.
  absl::flat_hash_map<std::uint64_t, std::uint32_t> shared_by_hash_;
  // Of ends, counted when a job of the batch is forgotten: few batches have one.
  absl::flat_hash_map<JobId, std::uint32_t> ends_by_id_;
  std::size_t ends_counted_ = 0;
  std::optional<Wall> id_clock_;
  queue::Sequence highest_sequence_ = 0;
  std::uint64_t highest_dispatch_ = 0;
  std::size_t counted_bytes_ = 0;
  bool checksum_bodies_;
};

}  // namespace rota::store
