#pragma once

#include <lmdb.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/store/record_format.h"
#include "common/base/result.h"

// LMDB behind values and Results; nothing here knows what the records mean, except for their checksum.
namespace rota::store::lmdb {

[[nodiscard]] inline MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
[[nodiscard]] inline std::string_view to_view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}
// "/data: cannot write bodies: No space left on device".
[[nodiscard]] Error failure(std::string_view directory, std::string_view doing, int rc);

using Tables = std::array<MDB_dbi, kTableCount + 1>;  // by number of Table

// A transaction: aborted at the end of its life unless committed.
class Txn {
 public:
  explicit Txn(MDB_txn* txn) : txn_(txn) {}
  ~Txn() { abort(); }
  Txn(Txn&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}
  Txn& operator=(Txn&& other) noexcept {
    std::swap(txn_, other.txn_);
    return *this;
  }
  [[nodiscard]] MDB_txn* get() const { return txn_; }
  // After a failure the file is as it was before, as far as the disk can still be written.
  [[nodiscard]] int commit();
  void abort() {
    if (txn_ != nullptr) ::mdb_txn_abort(std::exchange(txn_, nullptr));
  }

 private:
  MDB_txn* txn_;
};

// A cursor; must die before its transaction.
class Cursor {
 public:
  explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}
  ~Cursor() {
    if (cursor_ != nullptr) ::mdb_cursor_close(cursor_);
  }
  Cursor(Cursor&& other) noexcept : cursor_(std::exchange(other.cursor_, nullptr)) {}
  Cursor& operator=(Cursor&&) = delete;
  [[nodiscard]] MDB_cursor* get() const { return cursor_; }

 private:
  MDB_cursor* cursor_;
};

struct Pages {
  std::uint64_t size = 4096;  // bytes of one
  std::uint64_t end = 0;      // pages from the file's start to the last one used

  // The least length of the file; as much as there can be if a damaged `end` says more.
  [[nodiscard]] std::uint64_t bytes() const { return end - 1 >= UINT64_MAX / size ? UINT64_MAX : end * size; }
};

// The environment. Threads: one writer at a time, any readers.
class Env {
 public:
  // Opens or creates `directory`/data.mdb, with a map of at most `map_size` bytes (less where the system refuses so much
  // address space, but at least `least_map_size`).
  [[nodiscard]] static Result<std::unique_ptr<Env>> open(const std::string& directory, std::uint64_t map_size,
                                                         std::uint64_t least_map_size);
  // Opens `directory`/data.mdb, which must exist, for reading. `alone`: the caller keeps writers away, and LMDB's table of
  // readers is left alone; else a broker may write meanwhile.
  [[nodiscard]] static Result<std::unique_ptr<Env>> open_to_read(const std::string& directory, bool alone);
  ~Env();
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  // Opens the tables, making those that are missing; they are usable once `txn` is committed.
  [[nodiscard]] Status open_tables(const Txn& txn);
  // Opens one table that exists, also in a read transaction. False if it does not.
  [[nodiscard]] Result<bool> open_table(const Txn& txn, Table table);
  // How many tables of any name the file holds.
  [[nodiscard]] std::uint64_t named_tables(const Txn& txn) const;
  [[nodiscard]] Result<Txn> begin_write() const { return begin(0); }
  [[nodiscard]] Result<Txn> begin_read() const { return begin(MDB_RDONLY); }
  [[nodiscard]] Result<Cursor> cursor(const Txn& txn, Table table) const;
  [[nodiscard]] MDB_dbi table(Table table) const { return tables_[static_cast<std::size_t>(table)]; }
  [[nodiscard]] std::uint64_t entries(const Txn& txn, Table table) const;
  [[nodiscard]] std::uint64_t table_bytes(const Txn& txn, Table table) const;
  // Pages that any table needs, LMDB's own and the first two included.
  [[nodiscard]] std::uint64_t table_pages(const Txn& txn) const;
  [[nodiscard]] Pages pages() const;
  // Pages in the free list.
  [[nodiscard]] Result<std::uint64_t> free_pages(const Txn& txn) const;
  // Forgets readers whose process died: the pages that they saw can be used again.
  void drop_dead_readers() const;
  [[nodiscard]] int fd() const;
  [[nodiscard]] MDB_env* get() const { return env_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

  [[nodiscard]] Error failure(std::string_view doing, int rc) const { return lmdb::failure(directory_, doing, rc); }
  [[nodiscard]] Error damaged(Table table, std::string_view key) const;

 private:
  [[nodiscard]] static Result<std::unique_ptr<Env>> open_with(const std::string& directory, unsigned flags,
                                                              std::uint64_t map_size, std::uint64_t least_map_size);
  Env(MDB_env* env, std::string directory) : env_(env), directory_(std::move(directory)) {}
  [[nodiscard]] Result<Txn> begin(unsigned flags) const;

  MDB_env* env_;
  std::string directory_;
  Tables tables_{};
};

// A record's payload, checked. The functions below return it for a present record, nothing for an absent one, and
// INTERNAL naming table and key for a damaged one.
using Found = Result<std::optional<std::string_view>>;
// For every table but bodies and finished.
[[nodiscard]] Found get(const Env& env, const Txn& txn, Table table, std::string_view key);
// The payload of `record`, whose first `checked` payload bytes the checksum covers; nothing if it does not match.
[[nodiscard]] std::optional<std::string_view> open_record(Table table, std::string_view key, std::string_view record,
                                                          std::size_t checked = SIZE_MAX);
// Writes checksum and payload, which is given in pieces; the checksum leaves the last `apart` bytes out. `flags` as for
// mdb_cursor_put.
[[nodiscard]] int put(const Cursor& cursor, Table table, std::string_view key,
                      std::initializer_list<std::string_view> payload, unsigned flags, std::size_t apart = 0);
// Appends if `key` is above every other, else inserts. MDB_KEYEXIST if it is there.
[[nodiscard]] int append(const Cursor& cursor, Table table, std::string_view key,
                         std::initializer_list<std::string_view> payload, std::size_t apart = 0);
// Deletes the record of that key, if there is one.
[[nodiscard]] int erase(const Cursor& cursor, std::string_view key);

// "bodies record 17", "finished record 0193b2f0-…": for messages.
[[nodiscard]] std::string record_name(Table table, std::string_view key);

}  // namespace rota::store::lmdb
