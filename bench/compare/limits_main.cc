// What the disk and LMDB alone do with the work of so many jobs, as the bounds of a store in the same run:
//
//   rota-limits-bench fdatasync|preallocated|lmdb|wakeup --directory DIR [--jobs N] [--per-commit N] [--record BYTES]
//
// fdatasync: a commit appends the records of its jobs to a file and syncs it; preallocated: into a file that was written
// full of zeros before. lmdb: a commit puts the records of its jobs, a 40-byte state for each job of the commit before, and
// deletes both of the one before that. wakeup: a thread wakes another that sleeps, once for each job, and is woken in
// return; the time of one way. Prints one JSON object.

#include <fcntl.h>
#include <lmdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"

namespace {

using rota::compare::fail;
using rota::compare::fail_errno;
using rota::compare::now_ns;

struct Work {
  std::string kind;
  std::string directory;
  std::uint64_t jobs = 100'000;
  std::uint64_t per_commit = 256;
  std::uint64_t record = 250;  // bytes of a job
};

constexpr std::size_t kStateBytes = 40;
constexpr std::size_t kMapBytes = std::size_t{64} << 30;  // sparse

// How long each commit took, in nanoseconds.
using Times = std::vector<std::int64_t>;

Times sync_file(const Work& work, bool preallocated) {
  const std::string path = work.directory + "/records";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) fail_errno(path);
  if (preallocated) {
    const std::string zeros(1 << 20, '\0');
    for (std::uint64_t left = work.jobs * work.record; left > 0;) {
      const ssize_t wrote = ::write(file, zeros.data(), std::min<std::uint64_t>(left, zeros.size()));
      if (wrote < 0) fail_errno(path);
      left -= static_cast<std::uint64_t>(wrote);
    }
    if (::fsync(file) != 0 || ::lseek(file, 0, SEEK_SET) != 0) fail_errno(path);
  }
  Times times;
  for (std::uint64_t done = 0; done < work.jobs;) {
    const std::uint64_t count = std::min(work.per_commit, work.jobs - done);
    const std::string records(count * work.record, 'x');
    const std::int64_t start = now_ns();
    if (::write(file, records.data(), records.size()) != static_cast<ssize_t>(records.size())) fail_errno(path);
    if (::fdatasync(file) != 0) fail_errno(path);
    times.push_back(now_ns() - start);
    done += count;
  }
  ::close(file);
  ::unlink(path.c_str());
  return times;
}

void check(int result, const char* what) {
  if (result != MDB_SUCCESS) fail(std::string("LMDB: ") + what + ": " + mdb_strerror(result));
}

MDB_val bytes_of(std::uint64_t& key) { return {sizeof key, &key}; }

Times commit_lmdb(const Work& work) {
  MDB_env* environment = nullptr;
  check(mdb_env_create(&environment), "create");
  check(mdb_env_set_maxdbs(environment, 2), "tables");
  check(mdb_env_set_mapsize(environment, kMapBytes), "map size");
  check(mdb_env_open(environment, work.directory.c_str(), 0, 0600), "open");
  MDB_txn* transaction = nullptr;
  MDB_dbi bodies = 0;
  MDB_dbi states = 0;
  check(mdb_txn_begin(environment, nullptr, 0, &transaction), "begin");
  check(mdb_dbi_open(transaction, "bodies", MDB_CREATE | MDB_INTEGERKEY, &bodies), "table");
  check(mdb_dbi_open(transaction, "states", MDB_CREATE | MDB_INTEGERKEY, &states), "table");
  check(mdb_txn_commit(transaction), "commit");

  std::string record(work.record, 'x');
  std::string state(kStateBytes, 's');
  Times times;
  for (std::uint64_t first = 0; first < work.jobs + 2 * work.per_commit; first += work.per_commit) {
    const std::int64_t start = now_ns();
    check(mdb_txn_begin(environment, nullptr, 0, &transaction), "begin");
    const auto each = [&](std::uint64_t from, auto&& act) {
      for (std::uint64_t key = from; key < std::min(from + work.per_commit, work.jobs); ++key) act(key);
    };
    const auto append = [&transaction](MDB_dbi table, std::uint64_t number, std::string& text) {
      MDB_val key = bytes_of(number);
      MDB_val data{text.size(), text.data()};
      check(mdb_put(transaction, table, &key, &data, MDB_APPEND), "put");
    };
    each(first, [&](std::uint64_t job) { append(bodies, job, record); });
    if (first >= work.per_commit) each(first - work.per_commit, [&](std::uint64_t job) { append(states, job, state); });
    if (first >= 2 * work.per_commit) {
      each(first - 2 * work.per_commit, [&](std::uint64_t job) {
        MDB_val key = bytes_of(job);
        check(mdb_del(transaction, bodies, &key, nullptr), "delete");
        check(mdb_del(transaction, states, &key, nullptr), "delete");
      });
    }
    check(mdb_txn_commit(transaction), "commit");
    times.push_back(now_ns() - start);
  }
  mdb_env_close(environment);
  ::unlink((work.directory + "/data.mdb").c_str());
  ::unlink((work.directory + "/lock.mdb").c_str());
  return times;
}

// A counter of the kernel's that a thread sleeps on.
class Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_CLOEXEC)) {
    if (fd_ < 0) fail_errno("eventfd");
  }
  ~Bell() { ::close(fd_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  void ring() const {
    const std::uint64_t one = 1;
    if (::write(fd_, &one, sizeof one) < 0) fail_errno("eventfd");
  }
  void await() const {
    std::uint64_t rung = 0;
    if (::read(fd_, &rung, sizeof rung) < 0) fail_errno("eventfd");
  }

 private:
  int fd_;
};

Times wake_threads(const Work& work) {
  const Bell ping;
  const Bell pong;
  std::thread other([&] {
    for (std::uint64_t turn = 0; turn < work.jobs; ++turn) {
      ping.await();
      pong.ring();
    }
  });
  Times times;
  for (std::uint64_t turn = 0; turn < work.jobs; ++turn) {
    const std::int64_t start = now_ns();
    ping.ring();
    pong.await();
    times.push_back((now_ns() - start) / 2);
  }
  other.join();
  return times;
}

bool parse(int argc, char** argv, Work& work) {
  if (argc < 2 || argc % 2 != 0) return false;
  work.kind = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    if (name == "--directory") {
      work.directory = value;
      continue;
    }
    std::uint64_t* target = name == "--jobs"         ? &work.jobs
                            : name == "--per-commit" ? &work.per_commit
                            : name == "--record"     ? &work.record
                                                     : nullptr;
    if (target == nullptr) return false;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *target);
    if (error != std::errc{} || end != value.data() + value.size() || *target == 0) return false;
  }
  return !work.directory.empty() &&
         (work.kind == "fdatasync" || work.kind == "preallocated" || work.kind == "lmdb" || work.kind == "wakeup");
}

}  // namespace

int main(int argc, char** argv) {
  Work work;
  if (!parse(argc, argv, work)) {
    std::fputs(
        "usage: rota-limits-bench fdatasync|preallocated|lmdb|wakeup --directory DIR [--jobs N] [--per-commit N] [--record "
        "N]\n",
        stderr);
    return 64;
  }
  Times times = work.kind == "lmdb"     ? commit_lmdb(work)
                : work.kind == "wakeup" ? wake_threads(work)
                                        : sync_file(work, work.kind == "preallocated");
  std::int64_t total = 0;
  for (const std::int64_t time : times) total += time;
  std::sort(times.begin(), times.end());
  const auto at = [&times](std::size_t percent) {
    return static_cast<double>(times[std::min(times.size() - 1, times.size() * percent / 100)]) / 1e3;
  };
  const double seconds = static_cast<double>(total) / 1e9;
  std::printf(
      "{\"jobs\":%llu,\"seconds\":%.6f,\"jobs_per_second\":%.0f,\"commits\":%zu,\"jobs_per_commit\":%.1f,"
      "\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
      static_cast<unsigned long long>(work.jobs), seconds, static_cast<double>(work.jobs) / seconds, times.size(),
      static_cast<double>(work.jobs) / static_cast<double>(times.size()), at(50), at(99));
  return 0;
}
