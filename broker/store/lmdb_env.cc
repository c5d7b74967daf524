#include "broker/store/lmdb_env.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "broker/store/full_disk.h"
#include "broker/store/replaced_head.h"
#include "common/base/check.h"
#include "common/base/limits.h"

namespace rota::store::lmdb {
namespace {

constexpr unsigned kMaxReaders = 254;  // reads off the loop, and a backup from another process

// LMDB's file of readers for that many: its two locks and each reader take 64 bytes.
constexpr off_t kReadersFileSize = 64 * (kMaxReaders + 2);

// LMDB makes lock.mdb longer without room for it and writes through its map: on a full disk that is SIGBUS. Any other
// reason why this cannot be done LMDB will meet by itself.
int allocate_readers_file(const std::string& directory) {
  const int fd = ::open((directory + "/lock.mdb").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno == ENOSPC || errno == EDQUOT ? errno : 0;
  int rc = EINTR;
  while (rc == EINTR) rc = ::posix_fallocate(fd, 0, kReadersFileSize);
  ::close(fd);
  return rc == ENOSPC || rc == EDQUOT ? rc : 0;
}

void close_on_exec(int fd) { ::fcntl(fd, F_SETFD, FD_CLOEXEC); }

// Sync after every commit (neither MDB_NOSYNC nor MDB_NOMETASYNC), pages written with write(2) rather than through the map
// (no MDB_WRITEMAP: a stray pointer must not reach the file). Read-ahead stays on: loading and a backlog's dispatches read
// in file order.
constexpr unsigned kEnvFlags = MDB_NOTLS;

// LMDB's own tables: the free list, and the names of the others.
constexpr MDB_dbi kFreeList = 0;
constexpr MDB_dbi kNames = 1;
constexpr std::uint64_t kMetaPages = 2;

std::uint64_t pages_of(const Txn& txn, MDB_dbi table) {
  MDB_stat stat{};
  ROTA_CHECK(::mdb_stat(txn.get(), table, &stat) == 0);
  return stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
}

}  // namespace

Error failure(std::string_view directory, std::string_view doing, int rc) {
  std::string message(directory);
  // LMDB tells a write that was cut short, as by a full disk or a quota, as EIO.
  if (rc == ENOSPC || rc == EDQUOT || (rc == EIO && is_disk_full(message))) {
    message.append(": cannot ").append(doing).append(": the disk is full (").append(::mdb_strerror(rc));
    return {Code::store_full, std::move(message.append("); make room on it and start again"))};
  }
  message.append(": cannot ").append(doing).append(": ").append(::mdb_strerror(rc));
  return {rc == EACCES || rc == EPERM || rc == EROFS ? Code::forbidden : Code::internal, std::move(message)};
}

int Txn::commit() {
  const ReplacedHead head(txn_);
  const int rc = ::mdb_txn_commit(std::exchange(txn_, nullptr));
  if (rc != 0) head.put_back();
  return rc;
}

Result<std::unique_ptr<Env>> Env::open(const std::string& directory, std::uint64_t map_size, std::uint64_t least_map_size) {
  const std::string file = directory + "/data.mdb";
  struct stat before {};
  const bool is_new = ::stat(file.c_str(), &before) != 0 ? errno == ENOENT : before.st_size == 0;
  auto env = open_with(directory, kEnvFlags, map_size, least_map_size);
  // Half of a first page would pass for damage the next time.
  if (!env && is_new && env.error().code == Code::store_full) ::unlink(file.c_str());
  if (env) (*env)->drop_dead_readers();
  return env;
}

Result<std::unique_ptr<Env>> Env::open_to_read(const std::string& directory, bool alone) {
  // LMDB maps no less than the file holds, whatever it is told.
  return open_with(directory, kEnvFlags | MDB_RDONLY | (alone ? MDB_NOLOCK : 0U), limits::kStoreMapSize, limits::MiB);
}

Result<std::unique_ptr<Env>> Env::open_with(const std::string& directory, unsigned flags, std::uint64_t map_size,
                                            std::uint64_t least_map_size) {
  if ((flags & MDB_NOLOCK) == 0) {
    if (const int full = allocate_readers_file(directory); full != 0) {
      return lmdb::failure(directory, "open the store", full);
    }
  }
  for (;;) {
    MDB_env* raw = nullptr;
    int rc = ::mdb_env_create(&raw);
    if (rc != 0) return lmdb::failure(directory, "prepare the store", rc);
    std::unique_ptr<Env> env(new Env(raw, directory));
    rc = ::mdb_env_set_maxdbs(raw, kTableCount);
    if (rc == 0) rc = ::mdb_env_set_maxreaders(raw, kMaxReaders);
    if (rc == 0) rc = ::mdb_env_set_mapsize(raw, map_size);
    if (rc == 0) rc = ::mdb_env_open(raw, directory.c_str(), flags, 0600);
    if (rc == 0) {
      close_on_exec(env->fd());
      return env;
    }
    if (rc == ENOMEM && map_size / 2 >= least_map_size) {
      map_size /= 2;
      continue;
    }
    if (rc == MDB_VERSION_MISMATCH) {
      return Error{Code::version, directory +
                                      " was written by another version of the storage engine; use the "
                                      "rota-broker that wrote it"};
    }
    if (rc == MDB_INVALID) {
      return Error{Code::internal, directory + "/data.mdb is damaged or no store; restore it from a backup"};
    }
    return lmdb::failure(directory, "open the store", rc);
  }
}

Env::~Env() { ::mdb_env_close(env_); }

Result<Txn> Env::begin(unsigned flags) const {
  MDB_txn* txn = nullptr;
  const int rc = ::mdb_txn_begin(env_, nullptr, flags, &txn);
  if (rc != 0) return failure("begin a transaction", rc);
  return Txn(txn);
}

Status Env::open_tables(const Txn& txn) {
  for (std::size_t i = 1; i <= kTableCount; ++i) {
    const std::string name(table_name(static_cast<Table>(i)));
    const int rc = ::mdb_dbi_open(txn.get(), name.c_str(), MDB_CREATE, &tables_[i]);
    if (rc != 0) return failure("open table " + name, rc);
  }
  return {};
}

Result<bool> Env::open_table(const Txn& txn, Table which) {
  const std::string name(table_name(which));
  const int rc = ::mdb_dbi_open(txn.get(), name.c_str(), 0, &tables_[static_cast<std::size_t>(which)]);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) return failure("open table " + name, rc);
  return true;
}

std::uint64_t Env::named_tables(const Txn& txn) const {
  MDB_stat stat{};
  ROTA_CHECK(::mdb_stat(txn.get(), kNames, &stat) == 0);
  return stat.ms_entries;
}

Result<Cursor> Env::cursor(const Txn& txn, Table which) const {
  MDB_cursor* cursor = nullptr;
  const int rc = ::mdb_cursor_open(txn.get(), table(which), &cursor);
  if (rc != 0) return failure("read " + std::string(table_name(which)), rc);
  return Cursor(cursor);
}

std::uint64_t Env::entries(const Txn& txn, Table which) const {
  MDB_stat stat{};
  ROTA_CHECK(::mdb_stat(txn.get(), table(which), &stat) == 0);
  return stat.ms_entries;
}

std::uint64_t Env::table_bytes(const Txn& txn, Table which) const {
  MDB_stat stat{};
  ROTA_CHECK(::mdb_stat(txn.get(), table(which), &stat) == 0);
  return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
}

std::uint64_t Env::table_pages(const Txn& txn) const {
  std::uint64_t pages = kMetaPages + pages_of(txn, kFreeList) + pages_of(txn, kNames);
  for (const MDB_dbi handle : tables_) {
    if (handle > kNames) pages += pages_of(txn, handle);
  }
  return pages;
}

Pages Env::pages() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  ROTA_CHECK(::mdb_env_info(env_, &info) == 0 && ::mdb_env_stat(env_, &stat) == 0);
  return {stat.ms_psize, info.me_last_pgno + 1};
}

Result<std::uint64_t> Env::free_pages(const Txn& txn) const {
  // Each record of the free list begins with the number of pages that it names.
  MDB_cursor* raw = nullptr;
  int rc = ::mdb_cursor_open(txn.get(), kFreeList, &raw);
  if (rc != 0) return failure("read the free list", rc);
  const Cursor cursor(raw);
  std::uint64_t pages = 0;
  MDB_val key{};
  MDB_val value{};
  while ((rc = ::mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == 0) {
    std::size_t count = 0;
    if (value.mv_size < sizeof count) return failure("read the free list", MDB_CORRUPTED);
    std::memcpy(&count, value.mv_data, sizeof count);
    pages += count;
  }
  if (rc != MDB_NOTFOUND) return failure("read the free list", rc);
  return pages;
}

void Env::drop_dead_readers() const {
  int dead = 0;
  ::mdb_reader_check(env_, &dead);
}

int Env::fd() const {
  mdb_filehandle_t fd = -1;
  ROTA_CHECK(::mdb_env_get_fd(env_, &fd) == 0);
  return fd;
}

Error Env::damaged(Table which, std::string_view key) const {
  return {Code::internal,
          directory_ + ": " + record_name(which, key) + " is damaged; stop the broker and restore the store from a backup"};
}

std::string record_name(Table table, std::string_view key) {
  std::string name(table_name(table));
  name.append(" record ");
  if (table == Table::meta) return name.append(key);
  if (const auto number = key_number(key)) return name.append(std::to_string(*number));
  if (key.size() == sizeof(ForgetKey)) key.remove_prefix(8);
  JobId id;
  if (key.size() != id.bytes.size()) return name.append("with a malformed key");
  std::memcpy(id.bytes.data(), key.data(), key.size());
  return name.append(to_string(id));
}

std::optional<std::string_view> open_record(Table table, std::string_view key, std::string_view record,
                                            std::size_t checked) {
  if (record.size() < kChecksumSize) return std::nullopt;
  const std::string_view payload = record.substr(kChecksumSize);
  if (read_checksum(record) != record_checksum(table, key, payload.substr(0, checked))) return std::nullopt;
  return payload;
}

Found get(const Env& env, const Txn& txn, Table table, std::string_view key) {
  MDB_val wanted = to_val(key);
  MDB_val value{};
  const int rc = ::mdb_get(txn.get(), env.table(table), &wanted, &value);
  if (rc == MDB_NOTFOUND) return std::optional<std::string_view>();
  if (rc != 0) return env.failure("read " + record_name(table, key), rc);
  const auto payload = open_record(table, key, to_view(value));
  if (!payload) return env.damaged(table, key);
  return payload;
}

int put(const Cursor& cursor, Table table, std::string_view key, std::initializer_list<std::string_view> payload,
        unsigned flags, std::size_t apart) {
  std::size_t size = 0;
  for (const std::string_view piece : payload) size += piece.size();
  MDB_val wanted = to_val(key);
  MDB_val value{kChecksumSize + size, nullptr};
  const int rc = ::mdb_cursor_put(cursor.get(), &wanted, &value, flags | MDB_RESERVE);
  if (rc != 0) return rc;
  char* const start = static_cast<char*>(value.mv_data);
  char* at = start + kChecksumSize;
  for (const std::string_view piece : payload) {
    if (!piece.empty()) std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  write_checksum(start, record_checksum(table, key, {start + kChecksumSize, size - apart}));
  return 0;
}

int append(const Cursor& cursor, Table table, std::string_view key, std::initializer_list<std::string_view> payload,
           std::size_t apart) {
  const int rc = put(cursor, table, key, payload, MDB_APPEND, apart);
  return rc == MDB_KEYEXIST ? put(cursor, table, key, payload, MDB_NOOVERWRITE, apart) : rc;
}

int erase(const Cursor& cursor, std::string_view key) {
  MDB_val wanted = to_val(key);
  int rc = ::mdb_cursor_get(cursor.get(), &wanted, nullptr, MDB_SET);
  if (rc == 0) rc = ::mdb_cursor_del(cursor.get(), 0);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

}  // namespace rota::store::lmdb
