#pragma once

#include <string>

#include "common/base/result.h"

namespace rota::store {

// Holds a store directory for this process: a lock on `directory`/broker.lock, which also holds the pid. The lock belongs
// to the open file, so it ends with the process however that dies, and is not handed to programs that it starts.
class DirectoryLock {
 public:
  // Makes the directory (0700, parents too) if it is missing. FORBIDDEN if it cannot be made or written, RETRY_LATER if
  // another process, or another store of this one, holds it.
  [[nodiscard]] static Result<DirectoryLock> take(const std::string& directory);
  // The same for a directory that holds a store already: makes nothing but the file of the lock, and goes without where not
  // even that can be made, as on a read-only medium.
  [[nodiscard]] static Result<DirectoryLock> take_existing(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;

 private:
  [[nodiscard]] static Result<DirectoryLock> lock(int fd, const std::string& directory);
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace rota::store
