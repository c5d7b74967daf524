#include "broker/store/backup.h"

#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "broker/store/child_process.h"
#include "broker/store/lmdb_env.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/meta_pages.h"
#include "broker/store/store_files.h"
#include "common/base/limits.h"

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

// What the child tells: a letter, and for one that is not kDone the code as a character and the message.
constexpr char kDone = 'd';
constexpr char kDamage = 'x';
constexpr char kError = 'e';

std::string told_error(const Error& error) {
  return std::string{kError, static_cast<char>(error.code)}.append(error.message);
}

std::string told_damage(std::string_view what) { return std::string(1, kDamage).append(what); }

// Pages that name each other again and again make a copy without end. Those of a sound store fit in the file's present
// length and what a broker may commit between this look and the copy's begin.
constexpr std::uint64_t kCopySlack = 64 * limits::MiB;

// The longest the copy may become, unless the process may write even less.
std::uint64_t limit_copy(std::uint64_t most) {
  (void)::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur <= most) return UINT64_MAX;
  limit.rlim_cur = most;
  return ::setrlimit(RLIMIT_FSIZE, &limit) == 0 ? most : UINT64_MAX;
}

// In the child.
std::string copy(const std::string& directory, const std::string& target, int fd) {
  auto env = lmdb::Env::open_to_read(directory, false);
  if (!env) return told_error(env.error());
  const lmdb::Pages pages = (*env)->pages();
  const std::uint64_t end = pages.bytes();
  if (const std::string cut = lmdb::what_is_cut((*env)->fd(), end); !cut.empty()) return told_damage(cut);
  if (Status s = check_source(directory, **env); !s) {
    return s.error().code == Code::internal ? told_damage(s.error().message) : told_error(s.error());
  }
  const std::uint64_t most = limit_copy(end + kCopySlack);
  const int rc = ::mdb_env_copyfd2((*env)->get(), fd, MDB_CP_COMPACT);
  if (rc == 0) return {kDone};
  struct stat file {};
  if (rc == EFBIG && ::fstat(fd, &file) == 0 && static_cast<std::uint64_t>(file.st_size) >= most) {
    return told_damage("its pages name each other again and again");
  }
  return rc > 0 ? told_error(cannot_write(target, rc)) : told_damage(::mdb_strerror(rc));
}

// Empty: done; else what is damaged.
Result<std::string> copy_in_child(const std::string& directory, const std::string& target, int fd) {
  const auto end = run_in_child([&] { return copy(directory, target, fd); });
  if (!end) return end.error();
  if (HeldSignals::came() || (!end->told && !end->crashed())) {
    return Error{Code::retry_later, "the backup was ended by a signal; nothing is left of it, run it again"};
  }
  if (!end->told || end->told->empty()) return std::string("it has pages that cannot be read");
  const std::string& told = *end->told;
  if (told[0] == kDamage) return told.substr(1);
  if (told[0] == kDone) return std::string();
  return Error{static_cast<Code>(static_cast<unsigned char>(told[1])), told.substr(2)};
}

BackupReport damaged(const std::string& directory, const std::string& why) {
  return {0, directory + " cannot be copied, it is damaged (" + why +
                 "); nothing is left of the copy; stop the broker and see what rota-broker check says"};
}

}  // namespace

Result<BackupReport> backup_lmdb(const std::string& directory, const std::string& target) {
  if (Status s = must_hold_store(directory); !s) return s.error();
  if (Status s = check_roots(directory); !s) {
    if (s.error().code != Code::internal) return s.error();
    return damaged(directory, "in the first pages of data.mdb, or no store");
  }
  const HeldSignals held;  // until the end of all that is made here
  Target place(target);
  if (Status s = place.prepare(); !s) return s.error();
  Partial partial(target);
  if (Status s = partial.take(); !s) return s.error();
  const auto damage = copy_in_child(directory, target, partial.fd());
  if (!damage) return damage.error();
  if (!damage->empty()) return damaged(directory, *damage);
  struct stat file {};
  if (::fstat(partial.fd(), &file) != 0) return cannot_write(target, errno);
  if (Status s = partial.keep(place); !s) return s.error();
  return BackupReport{static_cast<std::uint64_t>(file.st_size), {}};
}

}  // namespace rota::store
