#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "broker/store/lmdb_env.h"
#include "broker/store/store.h"

namespace rota::store::lmdb {

// Keeps file space allocated ahead of need, and says whether submits may use it. The last part, the reserve, is for what
// must go on with a full disk: dispatches, completions and deletes.
//
// Threads: allocate() and note_commit() on the store thread, fill() on any.
class FileSpace {
 public:
  FileSpace(const Env& env, std::uint64_t store_limit);

  // Counts the free pages, and makes the file longer in steps until reserve and one step are free at its end, or the limit
  // or the disk ends it. Call outside any transaction.
  [[nodiscard]] Status allocate(Wall now);
  // Whether enough was written, or time has passed, since the last time.
  [[nodiscard]] bool is_due(Wall now) const;
  // After a commit of `bytes`: how far LMDB has gone in the file.
  void note_commit(std::uint64_t bytes);
  // Fills in everything but what concerns finished jobs. `staged`: bytes on their way to the next commits.
  void fill(Usage& usage, std::uint64_t staged) const;

  // What is kept of `used` bytes in a store of at most `store_limit`: 5 %, at least kMinReserve, at most a quarter of the
  // limit.
  [[nodiscard]] static std::uint64_t reserve(std::uint64_t used, std::uint64_t store_limit);
  [[nodiscard]] static std::uint64_t step(std::uint64_t store_limit);

 private:
  const Env& env_;
  const std::uint64_t store_limit_;

  mutable std::mutex mutex_;
  std::uint64_t allocated_ = 0;  // file size
  std::uint64_t end_ = 0;        // bytes up to the last page in use
  std::uint64_t free_inside_ = 0;
  std::uint64_t written_ = 0;    // bytes committed since the free pages were counted
  std::uint64_t disk_free_ = 0;  // what the file system has left, when last looked
  Wall counted_at_;
  int allocation_error_ = 0;  // errno of the last attempt to allocate
};

}  // namespace rota::store::lmdb
