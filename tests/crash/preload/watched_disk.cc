#include "tests/crash/preload/watched_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <vector>

#include "tests/crash/preload/real_calls.h"

namespace rota::crash {
namespace {

using Kind = RecordHeader::Kind;

std::string path_of(int fd) {
  char path[PATH_MAX];
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string absolute(const char* path) {
  std::error_code ec;
  std::string full = std::filesystem::absolute(path, ec).lexically_normal().string();
  if (full.size() > 1 && full.back() == '/') full.pop_back();
  return full;
}

bool exists(const char* path) { return ::access(path, F_OK) == 0; }

off_t size_of(int fd) {
  struct stat file {};
  return ::fstat(fd, &file) == 0 ? file.st_size : 0;
}

std::uint64_t total(std::span<const iovec> parts) {
  std::uint64_t size = 0;
  for (const iovec& part : parts) size += part.iov_len;
  return size;
}

// What [offset, offset + length) holds now, up to the file's end. `fd` may be for writing only.
std::string read_back(int fd, off_t offset, std::uint64_t length) {
  std::string bytes(length, '\0');
  const int reader = real_open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (reader < 0) return {};
  const ssize_t size = ::pread(reader, bytes.data(), bytes.size(), offset);
  real_close(reader);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

void sleep_ms(std::int64_t ms) {
  timespec left{ms / 1000, ms % 1000 * 1000000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

}  // namespace

void die_at(Counters& counters, const char* call) {
  std::strncpy(counters.killed_at, call, sizeof counters.killed_at - 1);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

Preload::Preload()
    : settings(Settings::from_environment()), counters(map_counters(settings.counters)), disk(settings, counters) {}

Preload& preload() {
  // Never destroyed: other threads and destructors go on calling to the end.
  static Preload* const state = new Preload;
  return *state;
}

WatchedDisk::WatchedDisk(const Settings& settings, Counters& counters)
    : settings_(settings), counters_(counters), journal_(settings.journal) {}

bool WatchedDisk::watches(const char* path) const {
  if (settings_.directory.empty() || path == nullptr) return false;
  const std::string full = absolute(path);
  // The directories above it too: its own name is an entry of one of them.
  return full == settings_.directory || full.starts_with(settings_.directory + "/") ||
         settings_.directory.starts_with(full + "/");
}

bool WatchedDisk::is_last_call() { return ++counters_.disk_calls == settings_.disk_kill; }

void WatchedDisk::die(const char* call) { die_at(counters_, call); }

void WatchedDisk::fault(std::uint32_t file, const char* call) { journal_.add({Kind::fault, file}, call); }

void WatchedDisk::watch(int fd, int flags, bool made) {
  struct stat file {};
  if (fd < 0 || fd >= kMaxFds || ::fstat(fd, &file) != 0) return;
  const bool is_directory = S_ISDIR(file.st_mode);
  const auto [it, fresh] =
      numbers_.try_emplace({file.st_dev, file.st_ino}, static_cast<std::uint32_t>(numbers_.size() + 1));
  if (made || fresh) journal_.add({Kind::file, it->second, 0, 0, made ? 1 : 0}, path_of(fd));
  const std::uint32_t syncs = (flags & (O_DSYNC | O_SYNC)) != 0 ? kSyncsWrites : 0;
  fds_[index(fd)] = it->second | syncs | (is_directory ? kIsDirectory : 0);
}

int WatchedDisk::open(const char* path, int flags, mode_t mode) {
  const std::lock_guard lock(mutex_);
  const bool makes = (flags & O_CREAT) != 0 && !exists(path);
  const bool last = makes && is_last_call();
  const int fd = real_open(path, flags, mode);
  const int why = errno;
  if (fd >= 0) watch(fd, flags, makes);
  if (last) die("open");
  errno = why;
  return fd;
}

void WatchedDisk::close(int fd) { fds_[index(fd)] = 0; }

void WatchedDisk::record_change(int fd, std::uint32_t file, off_t offset, std::uint64_t length) {
  if (!journal_.is_kept()) return;
  journal_.add({Kind::write, file, static_cast<std::uint64_t>(offset), length, size_of(fd)}, read_back(fd, offset, length));
}

ssize_t WatchedDisk::write_half(int fd, std::span<const iovec> parts, off_t offset) {
  std::string all;
  for (const iovec& part : parts) all.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return offset < 0 ? real_write(fd, all.data(), all.size() / 2) : real_pwrite(fd, all.data(), all.size() / 2, offset);
}

ssize_t WatchedDisk::write(int fd, std::span<const iovec> parts, off_t offset) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t entry = fds_[index(fd)];
  const std::uint32_t file = entry & kNumber;
  const off_t at = offset < 0 ? ::lseek(fd, 0, SEEK_CUR) : offset;
  const bool last = is_last_call();
  const bool faulty = settings_.write.hits(++counters_.writes);
  if (faulty && settings_.write.what == Fault::What::error) {
    fault(file, "write");
    errno = settings_.write.error;
    return -1;
  }
  record_change(fd, file, at, total(parts));
  const auto count = static_cast<int>(parts.size());
  ssize_t done = 0;
  if (faulty && settings_.write.what == Fault::What::cut_short) {
    done = write_half(fd, parts, offset);
  } else {
    done = offset < 0 ? real_writev(fd, parts.data(), count) : real_pwritev(fd, parts.data(), count, offset);
  }
  if (last) die((entry & kSyncsWrites) != 0 ? "synced write" : "write");
  const bool synced = (entry & kSyncsWrites) == 0 || done < 0 || sync_of_write(file, at, done);
  if (faulty) fault(file, "short write");
  if (synced) return done;
  errno = settings_.sync.error;
  return -1;
}

bool WatchedDisk::sync_of_write(std::uint32_t file, off_t offset, ssize_t length) {
  const std::uint64_t number = ++counters_.syncs;
  const auto from = static_cast<std::uint64_t>(offset);
  journal_.add({Kind::sync_begin, file, from, static_cast<std::uint64_t>(length)}, {});
  if (settings_.sync.hits(number)) {
    if (settings_.sync.what == Fault::What::stall) sleep_ms(settings_.sync.stall_ms);
    if (settings_.sync.what == Fault::What::error) {
      fault(file, "synced write");
      return false;
    }
  }
  journal_.add({Kind::sync_range, file, from, static_cast<std::uint64_t>(length)}, {});
  return true;
}

int WatchedDisk::resize(int fd, off_t size) {
  const std::lock_guard lock(mutex_);
  const bool last = is_last_call();
  const off_t before = size_of(fd);
  std::string gone;
  if (size < before) gone = read_back(fd, size, static_cast<std::uint64_t>(before - size));
  journal_.add({Kind::resize, fds_[index(fd)] & kNumber, static_cast<std::uint64_t>(size), 0, before}, gone);
  const int rc = real_ftruncate(fd, size);
  if (last) die("ftruncate");
  return rc;
}

int WatchedDisk::allocate(int fd, off_t offset, off_t length) {
  const std::lock_guard lock(mutex_);
  const bool last = is_last_call();
  const off_t before = size_of(fd);
  const auto size = static_cast<std::uint64_t>(std::max(before, offset + length));
  journal_.add({Kind::resize, fds_[index(fd)] & kNumber, size, 0, before}, {});
  const int rc = real_posix_fallocate(fd, offset, length);
  if (last) die("posix_fallocate");
  return rc;
}

int WatchedDisk::sync(int fd, int (*real)(int)) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t entry = fds_[index(fd)];
  const std::uint32_t file = entry & kNumber;
  if (is_last_call()) die("sync");
  const std::uint64_t number = ++counters_.syncs;
  journal_.add({Kind::sync_begin, file}, {});
  if (settings_.sync.hits(number)) {
    if (settings_.sync.what == Fault::What::stall) sleep_ms(settings_.sync.stall_ms);
    if (settings_.sync.what == Fault::What::error) {
      fault(file, "sync");
      errno = settings_.sync.error;
      return -1;
    }
  }
  const int rc = real(fd);
  if (rc != 0) return rc;
  if ((entry & kIsDirectory) != 0) {
    journal_.add({Kind::sync_names, file}, path_of(fd));
  } else {
    journal_.add({Kind::sync, file}, {});
  }
  return rc;
}

std::int64_t WatchedDisk::keep(const std::string& path) {
  if (!journal_.is_kept() || !exists(path.c_str())) return 0;
  const std::int64_t number = journal_.next_kept();
  return ::link(path.c_str(), journal_.kept_path(number).c_str()) == 0 ? number : 0;
}

int WatchedDisk::rename(const char* from, const char* to) {
  const std::lock_guard lock(mutex_);
  const bool last = is_last_call();
  const std::string target = absolute(to);
  std::string names = absolute(from);
  names.append(1, '\0').append(target);
  journal_.add({Kind::rename, 0, 0, 0, keep(target)}, names);
  const int rc = real_rename(from, to);
  if (last) die("rename");
  return rc;
}

int WatchedDisk::unlink(const char* path) {
  const std::lock_guard lock(mutex_);
  const bool last = is_last_call();
  const std::string name = absolute(path);
  journal_.add({Kind::unlink, 0, 0, 0, keep(name)}, name);
  const int rc = real_unlink(path);
  if (last) die("unlink");
  return rc;
}

int WatchedDisk::mkdir(const char* path, mode_t mode) {
  const std::lock_guard lock(mutex_);
  const bool last = is_last_call();
  const bool makes = !exists(path);
  if (makes) journal_.add({Kind::make}, absolute(path));
  const int rc = real_mkdir(path, mode);
  if (last) die("mkdir");
  return rc;
}

}  // namespace rota::crash
