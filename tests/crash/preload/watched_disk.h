#pragma once

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "tests/crash/preload/counters.h"
#include "tests/crash/preload/journal.h"
#include "tests/crash/preload/settings.h"

namespace rota::crash {

// The files below the watched directory as the process changes them. Counts, records, kills and makes fail as the settings
// say. Thread-safe: one call on a watched file at a time.
class WatchedDisk {
 public:
  WatchedDisk(const Settings& settings, Counters& counters);

  [[nodiscard]] bool watches(int fd) const { return fd >= 0 && fd < kMaxFds && fds_[index(fd)].load() != 0; }
  [[nodiscard]] bool watches(const char* path) const;

  // Each does what the system call of its name does, with its result and errno.
  int open(const char* path, int flags, mode_t mode);
  void close(int fd);
  // `offset` < 0: at the descriptor's own.
  ssize_t write(int fd, std::span<const iovec> parts, off_t offset);
  int resize(int fd, off_t size);
  int allocate(int fd, off_t offset, off_t length);
  int sync(int fd, int (*real)(int));
  int rename(const char* from, const char* to);
  int unlink(const char* path);
  int mkdir(const char* path, mode_t mode);

 private:
  static constexpr int kMaxFds = 65536;
  // In fds_: the file's number, and whether writes are synced at once, or it is a directory.
  static constexpr std::uint32_t kSyncsWrites = 1U << 30U;
  static constexpr std::uint32_t kIsDirectory = 1U << 31U;
  static constexpr std::uint32_t kNumber = kSyncsWrites - 1;

  [[nodiscard]] static std::size_t index(int fd) { return static_cast<std::size_t>(fd); }
  void watch(int fd, int flags, bool made);
  // Counts a call that changes or syncs; true if the process is to die at it.
  [[nodiscard]] bool is_last_call();
  [[noreturn]] void die(const char* call);
  void record_change(int fd, std::uint32_t file, off_t offset, std::uint64_t length);
  [[nodiscard]] ssize_t write_half(int fd, std::span<const iovec> parts, off_t offset);
  // The sync that write() is through an O_DSYNC descriptor. False: it is made to fail.
  [[nodiscard]] bool sync_of_write(std::uint32_t file, off_t offset, ssize_t length);
  [[nodiscard]] std::int64_t keep(const std::string& path);
  void fault(std::uint32_t file, const char* call);

  const Settings settings_;
  Counters& counters_;
  std::mutex mutex_;
  Journal journal_;
  std::array<std::atomic<std::uint32_t>, kMaxFds> fds_{};
  std::map<std::pair<dev_t, ino_t>, std::uint32_t> numbers_;
};

// The library's whole state: its functions are called without any context of their own, so it cannot be passed to them.
struct Preload {
  Preload();
  Settings settings;
  Counters& counters;
  WatchedDisk disk;
};
[[nodiscard]] Preload& preload();

// Notes the call at which the process dies, and dies.
[[noreturn]] void die_at(Counters& counters, const char* call);

}  // namespace rota::crash
