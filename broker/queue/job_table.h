#pragma once

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "broker/queue/chunked_slab.h"
#include "broker/queue/job_entry.h"
#include "common/base/prng.h"

namespace rota::queue {

// All jobs that the core holds, by index and by id. The id index is split into many small tables, each of which grows on
// its own, so that no insertion costs O(jobs). Not movable: the tables point at the slab.
class JobTable {
 public:
  explicit JobTable(Prng& random);  // seeds the hash: ids are chosen by clients
  JobTable(const JobTable&) = delete;
  JobTable& operator=(const JobTable&) = delete;

  [[nodiscard]] JobIndex find(const JobId& id) const;  // kNone if absent
  // Starts fetching what find(id) and erase() of it will touch: with many jobs, cache misses are what these cost.
  void prefetch(const JobId& id) const {
    const std::uint64_t hash = seed_.hash(id);
    tables_[table_of(hash)].prefetch(id);
  }
  void prefetch(JobIndex job) const { __builtin_prefetch(&entries_[job]); }
  void prefetch_detail(JobIndex job) const {
    if (entries_[job].detail != kNone) __builtin_prefetch(&details_[entries_[job].detail]);
  }
  // `id` must be absent. References to other entries stay valid.
  [[nodiscard]] JobIndex insert(const JobId& id);
  // Frees the entry and its detail.
  void erase(JobIndex job);

  [[nodiscard]] JobEntry& operator[](JobIndex job) { return entries_[job]; }
  [[nodiscard]] const JobEntry& operator[](JobIndex job) const { return entries_[job]; }
  // Null if it has none.
  [[nodiscard]] JobDetail* detail(JobIndex job);
  [[nodiscard]] const JobDetail* detail(JobIndex job) const;
  JobDetail& ensure_detail(JobIndex job);
  // Frees a detail that says nothing which its defaults do not.
  void trim_detail(JobIndex job);

  // Entries lie in chunks, filled one after the other: mostly in order of time. What is known of a chunk without looking.
  struct Span {
    Wall oldest{INT64_MAX}, newest{INT64_MIN};  // no id in it is outside; it may be narrower
  };
  static constexpr std::uint32_t kChunkJobs = ChunkedSlab<JobEntry>::kChunk;
  [[nodiscard]] std::uint32_t chunks() const { return static_cast<std::uint32_t>(spans_.size()); }
  [[nodiscard]] const Span& span(std::uint32_t chunk) const { return spans_[chunk]; }
  template <typename Visit>
  void each_in(std::uint32_t chunk, Visit visit) const {
    const std::uint32_t end = std::min(entries_.used(), (chunk + 1) * kChunkJobs);
    for (JobIndex job = chunk * kChunkJobs; job < end; ++job) {
      if (!entries_[job].id.is_nil()) visit(job);
    }
  }
  // After a look at the whole chunk.
  void set_span(std::uint32_t chunk, Span span) { spans_[chunk] = span; }

  [[nodiscard]] std::uint32_t size() const { return entries_.size(); }
  [[nodiscard]] std::uint32_t details() const { return details_.size(); }
  // Held by entries, details and the id index.
  [[nodiscard]] std::size_t bytes() const;
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& table : tables_) {
      for (const JobIndex job : table) visit(job);
    }
  }

 private:
  struct Seed {
    std::uint64_t first = 0, second = 0;
    [[nodiscard]] std::uint64_t hash(const JobId& id) const;
  };
  struct Hash {
    using is_transparent = void;
    const JobTable* table = nullptr;
    std::size_t operator()(const JobId& id) const { return table->seed_.hash(id); }
    std::size_t operator()(JobIndex job) const { return table->seed_.hash(table->entries_[job].id); }
  };
  struct Equal {
    using is_transparent = void;
    const JobTable* table = nullptr;
    bool operator()(JobIndex a, JobIndex b) const { return a == b; }
    bool operator()(JobIndex a, const JobId& b) const { return table->entries_[a].id == b; }
    bool operator()(const JobId& a, JobIndex b) const { return table->entries_[b].id == a; }
  };
  using Table = absl::flat_hash_set<JobIndex, Hash, Equal>;
  static constexpr unsigned kTableBits = 10;

  [[nodiscard]] static std::size_t table_of(std::uint64_t hash) { return hash >> (64U - kTableBits); }

  Seed seed_;
  ChunkedSlab<JobEntry> entries_;
  ChunkedSlab<JobDetail, 1024> details_;
  std::vector<Span> spans_;  // one a chunk of entries_
  std::vector<Table> tables_;
};

}  // namespace rota::queue
