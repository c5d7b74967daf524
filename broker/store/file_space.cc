#include "broker/store/file_space.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/units.h"

namespace rota::store::lmdb {
namespace {

// LMDB writes every page on a changed path anew; a staged byte costs about twice its size until the old pages are free.
constexpr std::uint64_t kWriteFactor = 2;
// Counting the free pages reads LMDB's list of them: not after every commit.
constexpr Millis kCountInterval{100};

}  // namespace

std::uint64_t FileSpace::reserve(std::uint64_t used, std::uint64_t store_limit) {
  return std::min(std::max<std::uint64_t>(used / 20, limits::kMinReserve), store_limit / 4);
}

std::uint64_t FileSpace::step(std::uint64_t store_limit) {
  return std::clamp<std::uint64_t>(store_limit / 16, limits::MiB, limits::kAllocationStep);
}

FileSpace::FileSpace(const Env& env, std::uint64_t store_limit) : env_(env), store_limit_(store_limit) {}

bool FileSpace::is_due(Wall now) const {
  const std::lock_guard lock(mutex_);
  return now < counted_at_ || counted_at_ + kCountInterval <= now || written_ > step(store_limit_) / 16;
}

Status FileSpace::allocate(Wall now) {
  auto txn = env_.begin_read();
  if (!txn) return txn.error();
  const auto free_pages = env_.free_pages(*txn);
  if (!free_pages) return free_pages.error();
  txn->abort();
  struct stat file {};
  if (::fstat(env_.fd(), &file) != 0) return env_.failure("look at data.mdb", errno);
  const Pages pages = env_.pages();
  const std::uint64_t end = pages.end * pages.size;
  const std::uint64_t used = end - std::min(end, *free_pages * pages.size);
  const std::uint64_t growth = step(store_limit_);
  auto size = static_cast<std::uint64_t>(file.st_size);
  int why = 0;
  while (size < end + reserve(used, store_limit_) + growth && size < store_limit_) {
    const std::uint64_t more = std::min(growth, store_limit_ - size);
    why = ::posix_fallocate(env_.fd(), static_cast<off_t>(size), static_cast<off_t>(more));
    if (why == EINTR) continue;
    if (why != 0) break;
    size += more;
  }
  struct statvfs disk {};
  if (::fstatvfs(env_.fd(), &disk) != 0) return env_.failure("look at the file system of data.mdb", errno);
  const std::lock_guard lock(mutex_);
  disk_free_ = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  allocated_ = std::max(size, end);
  end_ = end;
  written_ = 0;
  counted_at_ = now;
  free_inside_ = *free_pages * pages.size;
  allocation_error_ = why;
  return {};
}

void FileSpace::note_commit(std::uint64_t bytes) {
  const Pages pages = env_.pages();
  const std::lock_guard lock(mutex_);
  end_ = pages.end * pages.size;
  allocated_ = std::max(allocated_, end_);
  written_ += bytes;
}

void FileSpace::fill(Usage& usage, std::uint64_t staged) const {
  const std::lock_guard lock(mutex_);
  usage.file_bytes = allocated_;
  usage.used_bytes = end_ - std::min(end_, free_inside_);
  const std::uint64_t free = allocated_ - end_ + free_inside_;
  const std::uint64_t kept = reserve(usage.used_bytes, store_limit_);
  const std::uint64_t needed = kept + kWriteFactor * (staged + written_);
  const std::uint64_t growth = std::min(store_limit_ - std::min(store_limit_, allocated_), disk_free_);
  usage.limit_bytes = store_limit_;
  usage.reserve_bytes = kept;
  usage.free_bytes = free + growth - std::min(free + growth, needed);
  usage.disk_free_bytes = disk_free_;
  usage.accepts_submits = free > needed;
  usage.is_tight = free < kept / 2 + kWriteFactor * (staged + written_);
  if (usage.accepts_submits) return;
  usage.grows = allocation_error_ == 0 && free + growth > needed;
  if (usage.grows) {
    usage.why_not = "the disk does not keep up: too much waits to be synced; try again";
    return;
  }
  usage.why_not = env_.directory() + ": ";
  if (allocation_error_ != 0) {
    usage.why_not += std::string("no more disk space (") + std::strerror(allocation_error_) + "); ";
  } else if (allocated_ >= store_limit_) {
    usage.why_not += "--store-limit " + format_size(store_limit_) + " is reached; ";
  }
  usage.why_not += format_size(free) + " are free, of which " + format_size(kept) +
                   " are kept to finish what is queued; new jobs are taken again when space is free";
}

}  // namespace rota::store::lmdb
