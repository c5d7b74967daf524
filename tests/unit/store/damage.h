#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "broker/store/lmdb_env.h"
#include "common/base/limits.h"

// Damage done to the file of a closed store.
namespace rota::store::test {

inline std::string file_of(const std::string& directory) { return directory + "/data.mdb"; }

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// Calls `edit` with a cursor at the first record of `table` and commits what it does.
inline void edit_first(const std::string& directory, Table table,
                       const std::function<void(MDB_cursor* cursor, MDB_val key, MDB_val value)>& edit) {
  const auto env = lmdb::Env::open(directory, limits::GiB, limits::GiB);
  ASSERT_TRUE(env.ok()) << env.error().message;
  auto txn = (*env)->begin_write();
  ASSERT_TRUE(txn.ok());
  ASSERT_TRUE((*env)->open_tables(*txn).ok());
  {
    const auto cursor = (*env)->cursor(*txn, table);
    MDB_val key{};
    MDB_val value{};
    ASSERT_EQ(::mdb_cursor_get(cursor->get(), &key, &value, MDB_FIRST), 0) << table_name(table);
    edit(cursor->get(), key, value);
  }
  ASSERT_EQ(txn->commit(), 0);
}

// Inverts a bit of the first record's byte `at`.
inline void flip_first(const std::string& directory, Table table, std::size_t at) {
  edit_first(directory, table, [at](MDB_cursor* cursor, MDB_val key, MDB_val value) {
    std::string bytes(lmdb::to_view(value));
    ASSERT_LT(at, bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    MDB_val changed = lmdb::to_val(bytes);
    ASSERT_EQ(::mdb_cursor_put(cursor, &key, &changed, MDB_CURRENT), 0);
  });
}

inline void erase_first(const std::string& directory, Table table) {
  edit_first(directory, table, [](MDB_cursor* cursor, MDB_val, MDB_val) { ASSERT_EQ(::mdb_cursor_del(cursor, 0), 0); });
}

}  // namespace rota::store::test
