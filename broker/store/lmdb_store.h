#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "broker/store/directory_lock.h"
#include "broker/store/doomed_jobs.h"
#include "broker/store/file_space.h"
#include "broker/store/lmdb_env.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/staged_batch.h"
#include "broker/store/store.h"

namespace rota::store::lmdb {

// Where the outcomes are that the sweeper has not filed yet: job id → finish number. Thread-safe.
//
// A reader asks here first and begins its read transaction after. Entries are set after the commit that stored the outcome
// and removed after the commit that filed it, so what a reader is told here is in its transaction either at that place or
// under `finished`.
class UnsweptIndex {
 public:
  struct Change {
    JobId id;
    std::uint64_t finish = 0;  // 0: none any more
  };
  void apply(const std::vector<Change>& changes);
  // Forgets those entries that still name their place.
  void filed(const std::vector<Change>& places);
  [[nodiscard]] std::optional<std::uint64_t> find(const JobId& id) const;
  void find(std::span<const JobId> ids, std::vector<std::uint64_t>& places) const;
  // The first `most` entries under `below` (nil: of all), highest id first.
  [[nodiscard]] std::vector<Change> newest(const JobId& below, std::size_t most) const;
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  // A tree: lists walk it, ids mostly come in rising order, and it never stalls to grow.
  absl::btree_map<JobId, std::uint64_t> places_;
};

// The shared parts that records of one read transaction name, each read and decoded once.
class SharedReader {
 public:
  SharedReader(const Env& env, const Txn& txn) : env_(env), txn_(txn) {}
  // The shared part of `stored`, a record of `table` under `key`. Lives until the next call.
  [[nodiscard]] Result<const queue::SharedRecord*> of(const StoredJob& stored, Table table, std::string_view key);

 private:
  const Env& env_;
  const Txn& txn_;
  absl::flat_hash_map<std::uint64_t, queue::SharedRecord> by_number_;
  std::string_view last_inline_;
  queue::SharedRecord last_;
};

// Decodes a record of `bodies` and checks it, with its body or without.
[[nodiscard]] bool open_job(std::string_view key, std::string_view record, bool with_body, StoredJob& stored);
// The same for a record of `finished`.
[[nodiscard]] bool open_finished(std::string_view key, std::string_view record, bool with_body, StoredFinished& finished);

// The store on disk: docs/store-format.md. Threads as in store.h.
class LmdbStore final : public Store {
 public:
  LmdbStore(DirectoryLock lock, std::unique_ptr<Env> env, const StoreOptions& options);

  [[nodiscard]] Result<Opened> load(LoadSink& sink) override;
  [[nodiscard]] std::unique_ptr<Batch> new_batch() override;
  [[nodiscard]] Result<CommitInfo> commit(Batch& batch) override;
  [[nodiscard]] Status bodies(std::span<const queue::Sequence> sequences,
                              const std::function<void(std::size_t, const Batch::Body&)>& sink) override;
  [[nodiscard]] Status outlines(std::span<const queue::Sequence> sequences,
                                const std::function<void(std::size_t, const Batch::Body&)>& sink) override;
  [[nodiscard]] Status find(std::span<const JobId> ids, const FinishedQuery& query,
                            const std::function<void(std::size_t, const queue::FinishedJob&)>& sink) override;
  [[nodiscard]] Result<ListPage> list(const ListQuery& query,
                                      const std::function<void(const queue::FinishedJob&)>& sink) override;
  [[nodiscard]] Result<MaintainInfo> maintain(Wall now) override;
  [[nodiscard]] Usage usage() const override;

 private:
  class Committer;  // lmdb_commit.cc
  class Loader;     // lmdb_load.cc
  class Sweeper;    // lmdb_sweep.cc

  using BodySink = std::function<void(std::size_t, const Batch::Body&)>;
  [[nodiscard]] Status read_bodies(std::span<const queue::Sequence> sequences, bool with_payload, const BodySink& sink);
  [[nodiscard]] Status sweep(Wall now, MaintainInfo& info);
  void note_finished(const Txn& txn);

  DirectoryLock lock_;
  std::unique_ptr<Env> env_;
  StoreOptions options_;
  std::shared_ptr<BatchPool> pool_ = std::make_shared<BatchPool>();
  UnsweptIndex unswept_;
  DoomedJobs doomed_;
  FileSpace space_;

  // Store thread only.
  Numbers numbers_;
  std::uint64_t unswept_count_ = 0;  // records in `outcomes`
  std::optional<Error> failed_;      // the error of a commit: final
  Wall last_sweep_;
  ForgetClock forget_clock_;
  bool sweep_again_ = true;          // the last slice left work, or none looked since the start
  std::optional<Wall> next_forget_;  // earliest time in `forget`
  // For --finished-limit, keys of `forget`: reports were dropped up to here, and records looked at up to here.
  std::string strip_from_, doom_from_;

  mutable std::mutex usage_mutex_;
  std::uint64_t filed_jobs_ = 0;  // records in `finished`
  std::uint64_t finished_bytes_ = 0;
};

}  // namespace rota::store::lmdb
