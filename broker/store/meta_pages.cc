#include "broker/store/meta_pages.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "broker/store/store_files.h"

namespace rota::store::lmdb {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// The first page, or the second.
std::optional<MetaHeader> read_meta(int fd, std::uint64_t number) {
  char bytes[kMetaSize];
  if (::pread(fd, bytes, kMetaSize, static_cast<off_t>(number * page_size())) != static_cast<ssize_t>(kMetaSize)) {
    return std::nullopt;
  }
  return MetaHeader({bytes, kMetaSize});
}

// Of lock.mdb, MDB_txninfo: magic number (4), format (4), a mutex, number of the last commit (8). 0: it tells none.
std::uint64_t last_commit_of_lock(const std::string& directory) {
  constexpr std::size_t kCommitAt = 8 + sizeof(pthread_mutex_t);
  constexpr std::uint32_t kFormat = 0x00010001;
  char bytes[kCommitAt + sizeof(std::uint64_t)];
  const int fd = ::open((directory + "/lock.mdb").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const bool is_whole = ::read(fd, bytes, sizeof bytes) == static_cast<ssize_t>(sizeof bytes);
  ::close(fd);
  const std::string_view read(bytes, sizeof bytes);
  if (!is_whole || read_at<std::uint32_t>(read, 0) != kMagic || read_at<std::uint32_t>(read, 4) != kFormat) return 0;
  return read_at<std::uint64_t>(read, kCommitAt);
}

bool are_good(int fd) {
  const auto first = read_meta(fd, 0);
  const auto second = read_meta(fd, 1);
  if (!first || !second || first->magic != kMagic || second->magic != kMagic) return false;
  if (!is_of_another_version(fd) && (!is_meta_page(*first, 0, page_size()) || !is_meta_page(*second, 1, page_size()))) {
    return false;
  }
  if (first->txn == 0 && second->txn == 0) return true;  // nothing was ever committed
  return first->txn % 2 == 0 && second->txn % 2 == 1 && (first->txn + 1 == second->txn || second->txn + 1 == first->txn);
}

}  // namespace

bool is_meta_page(const MetaHeader& meta, std::uint64_t number, std::size_t page_size) {
  return meta.magic == kMagic && meta.version == kLayoutVersion && meta.page.number == number &&
         meta.page.flags == kMetaPage && meta.page_size == page_size;
}

bool is_of_another_version(int fd) {
  for (const std::uint64_t number : {0U, 1U}) {
    const auto meta = read_meta(fd, number);
    if (meta && meta->magic == kMagic && meta->version != kLayoutVersion) return true;
  }
  return false;
}

Status check_meta_pages(const std::string& directory) {
  const std::string path = directory + "/data.mdb";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    return Error{Code::forbidden, path + " cannot be read: " + std::strerror(errno) + "; run this as the broker's user"};
  }
  const off_t size = ::lseek(fd, 0, SEEK_END);
  const bool good = size == 0 || are_good(fd);
  ::close(fd);
  if (good) return {};
  return Error{Code::internal, path + " is damaged in its first pages, or no store; restore it from a backup"};
}

Status check_lock_file(const std::string& directory) {
  const std::uint64_t locked = last_commit_of_lock(directory);
  const int fd = ::open(data_file(directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT) return {};
  std::uint64_t last = 0;
  const bool is_there = fd >= 0 && ::lseek(fd, 0, SEEK_END) > 0;
  for (const std::uint64_t number : {0U, 1U}) {
    const auto meta = is_there ? read_meta(fd, number) : std::nullopt;
    if (meta) last = std::max(last, meta->txn);
  }
  if (fd >= 0) ::close(fd);
  if (!is_there && locked > 0) {
    return Error{Code::internal, directory +
                                     " held a store, but its data.mdb is gone; restore it from a backup, or remove "
                                     "lock.mdb to begin a new one"};
  }
  if (is_there && locked == last + 1) {
    return Error{Code::internal, directory + " is damaged (data.mdb lacks the last commit, " + std::to_string(locked) +
                                     "); restore the store from a backup, or remove lock.mdb to serve what is there"};
  }
  return {};
}

std::string what_is_cut(int fd, std::uint64_t needed_bytes) {
  struct stat file {};
  if (::fstat(fd, &file) != 0 || static_cast<std::uint64_t>(file.st_size) >= needed_bytes) return {};
  return "data.mdb was cut: it has " + std::to_string(file.st_size) + " bytes of at least " + std::to_string(needed_bytes);
}

}  // namespace rota::store::lmdb
