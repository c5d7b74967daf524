#include "broker/store/backup.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "broker/store/lmdb_env.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/meta_pages.h"
#include "broker/store/store_files.h"

namespace rota::store {
namespace {

namespace fs = std::filesystem;

Error cannot_write(const std::string& target, int why) {
  std::string message = "cannot write " + target + ": " + std::strerror(why);
  if (why == ENOSPC || why == EDQUOT || why == EFBIG) {
    return {Code::store_full, std::move(message.append("; make room, or name another directory"))};
  }
  if (why == EIO) return {Code::internal, std::move(message)};
  return {Code::forbidden, std::move(message.append("; name a directory that can be written"))};
}

Error holds_a_store(const std::string& target) {
  return {Code::bad_message, target + " holds a store already; name a new or empty directory"};
}

// An open file or directory.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

Status sync_directory(const std::string& path) {
  const File directory(path, O_RDONLY | O_DIRECTORY);
  if (directory.fd() < 0 || ::fsync(directory.fd()) != 0) return cannot_write(path, errno);
  return {};
}

// The directory of the copy; taken away again if it was made here and nothing came into it.
class Target {
 public:
  explicit Target(std::string path) : path_(std::move(path)) {}
  ~Target() {
    std::error_code ignored;
    if (made_ && !kept_) fs::remove(path_, ignored);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  Status prepare() {
    struct stat file {};
    if (::lstat(data_file(path_).c_str(), &file) == 0) return holds_a_store(path_);
    std::error_code ec;
    made_ = fs::create_directories(path_, ec);
    if (ec) return cannot_write(path_, ec.value());
    if (!fs::is_directory(path_, ec)) return cannot_write(path_, ENOTDIR);
    if (made_) fs::permissions(path_, fs::perms::owner_all, ec);
    return {};
  }
  // Gives the whole copy its name, unless a store has come there meanwhile.
  Status keep(const std::string& partial) {
    const std::string name = data_file(path_);
    int failed = ::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, name.c_str(), RENAME_NOREPLACE);
    // File systems that cannot do both at once.
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
      failed = fs::exists(name) ? EEXIST : ::rename(partial.c_str(), name.c_str());
      if (failed == EEXIST) errno = EEXIST;
    }
    if (failed != 0) return errno == EEXIST ? holds_a_store(path_) : cannot_write(path_, errno);
    kept_ = true;
    if (Status s = sync_directory(path_); !s) return s;
    if (!made_) return {};
    const std::string parent = fs::absolute(path_).lexically_normal().parent_path().string();
    return sync_directory(parent.empty() ? "/" : parent);
  }

 private:
  std::string path_;
  bool made_ = false;
  bool kept_ = false;
};

// The copy while it is made. Locked, so that two backups do not write into one file.
class Partial {
 public:
  explicit Partial(const std::string& target)
      : target_(target), path_(data_file(target) + ".partial"), file_(path_, O_RDWR | O_CREAT) {}
  ~Partial() {
    if (mine_) ::unlink(path_.c_str());
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;
  [[nodiscard]] int fd() const { return file_.fd(); }

  Status take() {
    if (fd() < 0) return cannot_write(target_, errno);
    const Error busy{Code::retry_later, "another backup into " + target_ + " is under way; wait for it to end"};
    if (::flock(fd(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return busy;
      return cannot_write(target_, errno);
    }
    // Another backup may have given this file its name between opening and locking.
    struct stat mine {};
    struct stat named {};
    if (::fstat(fd(), &mine) != 0 || ::stat(path_.c_str(), &named) != 0 || mine.st_ino != named.st_ino) return busy;
    mine_ = true;
    if (::ftruncate(fd(), 0) != 0) return cannot_write(target_, errno);
    return {};
  }
  // Whole and on disk under its name.
  Status keep(Target& target) {
    if (::fsync(fd()) != 0) return cannot_write(target_, errno);
    Status kept = target.keep(path_);
    if (kept) mine_ = false;
    return kept;
  }

 private:
  std::string target_;
  std::string path_;
  File file_;
  bool mine_ = false;
};

// A broker may commit between the reading of the two pages, which looks like damage once.
Status check_roots(const std::string& directory) {
  constexpr int kTimes = 20;
  Status roots;
  for (int i = 0; i < kTimes; ++i) {
    roots = lmdb::check_meta_pages(directory);
    if (roots) break;
  }
  return roots;
}

Status check_source(const std::string& directory, lmdb::Env& env) {
  auto txn = env.begin_read();
  if (!txn) return txn.error();
  const auto meta = env.open_table(*txn, Table::meta);
  if (!meta) return meta.error();
  if (!*meta)
    return Error{Code::not_found, data_file(directory) + " is no store of Rota's; name a broker's directory with --data"};
  const auto format = lmdb::read_format(env, *txn);
  if (!format) return format.error();
  return {};
}

Status copy(const lmdb::Env& env, const std::string& target, int fd) {
  const int rc = ::mdb_env_copyfd2(env.get(), fd, MDB_CP_COMPACT);
  if (rc == 0) return {};
  if (rc > 0) return cannot_write(target, rc);
  return Error{Code::internal, env.directory() + " cannot be copied, it is damaged (" + ::mdb_strerror(rc) +
                                   "); stop the broker and see what rota-broker check says"};
}

}  // namespace

Result<BackupReport> backup_lmdb(const std::string& directory, const std::string& target) {
  if (Status s = must_hold_store(directory); !s) return s.error();
  if (Status s = check_roots(directory); !s) return s.error();
  auto env = lmdb::Env::open_to_read(directory, false);
  if (!env) return env.error();
  if (Status s = check_source(directory, **env); !s) return s.error();
  Target place(target);
  if (Status s = place.prepare(); !s) return s.error();
  Partial partial(target);
  if (Status s = partial.take(); !s) return s.error();
  if (Status s = copy(**env, target, partial.fd()); !s) return s.error();
  struct stat file {};
  if (::fstat(partial.fd(), &file) != 0) return cannot_write(target, errno);
  if (Status s = partial.keep(place); !s) return s.error();
  return BackupReport{static_cast<std::uint64_t>(file.st_size)};
}

}  // namespace rota::store
