#include "broker/store/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace rota::store {
namespace {

namespace fs = std::filesystem;

Error no_room(const std::string& directory, int why) {
  return {Code::store_full,
          directory + " cannot be written: the disk is full (" + std::strerror(why) + "); make room on it and start again"};
}

bool is_no_room(int why) { return why == ENOSPC || why == EDQUOT; }

Status make_directory(const std::string& directory) {
  std::error_code ec;
  if (fs::is_directory(directory, ec)) return {};
  if (fs::exists(directory, ec)) {
    return Error{Code::forbidden, directory + " is not a directory; name one with --data"};
  }
  const bool made = fs::create_directories(directory, ec);
  if (ec && is_no_room(ec.value())) return no_room(directory, ec.value());
  if (ec) {
    return Error{Code::forbidden,
                 "cannot make the directory " + directory + ": " + ec.message() + "; make it, or name another with --data"};
  }
  if (made) fs::permissions(directory, fs::perms::owner_all, ec);
  return {};
}

std::string read_pid(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  std::string_view pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  pid = pid.substr(0, pid.find_first_not_of("0123456789"));
  return pid.empty() ? "unknown" : std::string(pid);
}

// Root that looks after another user's store must not leave a lock that this user cannot take.
void give_to_owner(int fd, const std::string& directory) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(directory.c_str(), &owner) != 0) return;
  [[maybe_unused]] const int given = ::fchown(fd, owner.st_uid, owner.st_gid);
}

int open_lock(const std::string& path, int flags) { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); }

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  if (const Status made = make_directory(directory); !made) return made.error();
  const int fd = open_lock(directory + "/broker.lock", O_RDWR | O_CREAT);
  if (fd < 0 && is_no_room(errno)) return no_room(directory, errno);
  if (fd < 0) {
    return Error{Code::forbidden, directory + " cannot be written: " + std::strerror(errno) +
                                      "; give the broker's user the rights, or name another directory with --data"};
  }
  return lock(fd, directory);
}

Result<DirectoryLock> DirectoryLock::take_existing(const std::string& directory) {
  const std::string path = directory + "/broker.lock";
  int fd = open_lock(path, O_RDWR);
  if (fd < 0 && errno == ENOENT) {
    fd = open_lock(path, O_RDWR | O_CREAT);
    if (fd >= 0) give_to_owner(fd, directory);
  } else if (fd < 0 && (errno == EACCES || errno == EROFS)) {
    fd = open_lock(path, O_RDONLY);
  }
  if (fd >= 0) return lock(fd, directory);
  std::error_code ec;
  if (!fs::exists(path, ec) && !ec) return DirectoryLock(-1);
  return Error{Code::forbidden, path + " cannot be read: " + std::strerror(errno) + "; run this as the broker's user"};
}

Result<DirectoryLock> DirectoryLock::lock(int fd, const std::string& directory) {
  DirectoryLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int why = errno;
    if (why != EWOULDBLOCK)
      return Error{Code::forbidden, "cannot lock " + directory + ": " + std::strerror(why) +
                                        "; name a directory on a local disk with --data"};
    return Error{Code::retry_later, directory + " is in use by the broker with pid " + read_pid(fd) +
                                        "; stop it, or name another directory with --data"};
  }
  // The pid only serves the message of a second broker: on a full disk the broker must start without it.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::pwrite(fd, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size())) {
    [[maybe_unused]] const int cut = ::ftruncate(fd, static_cast<off_t>(pid.size()));
  }
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}
DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

}  // namespace rota::store
