// Stands in front of LMDB: every call of the broker into it is a point at which the process can be made to die, before it
// and, where something became durable, right behind it. So the fail points are in the programs as they are shipped, and
// none of their code knows of them.

#include <lmdb.h>

#include "tests/crash/preload/real_calls.h"
#include "tests/crash/preload/watched_disk.h"

namespace {

void point(const char* name) {
  auto& state = rota::crash::preload();
  if (++state.counters.store_points == state.settings.store_kill) rota::crash::die_at(state.counters, name);
}

}  // namespace

// Each is looked up once, and is a point before the call.
#define ROTA_BEFORE(name)                                                    \
  static auto* const real = rota::crash::next_call<decltype(::name)>(#name); \
  point(#name)

extern "C" {

int mdb_env_open(MDB_env* env, const char* path, unsigned int flags, mdb_mode_t mode) {
  ROTA_BEFORE(mdb_env_open);
  const int rc = real(env, path, flags, mode);
  point("behind mdb_env_open");
  return rc;
}

void mdb_env_close(MDB_env* env) {
  ROTA_BEFORE(mdb_env_close);
  real(env);
}

int mdb_txn_begin(MDB_env* env, MDB_txn* parent, unsigned int flags, MDB_txn** txn) {
  ROTA_BEFORE(mdb_txn_begin);
  return real(env, parent, flags, txn);
}

int mdb_txn_commit(MDB_txn* txn) {
  ROTA_BEFORE(mdb_txn_commit);
  const int rc = real(txn);
  point("behind mdb_txn_commit");
  return rc;
}

void mdb_txn_abort(MDB_txn* txn) {
  ROTA_BEFORE(mdb_txn_abort);
  real(txn);
}

int mdb_dbi_open(MDB_txn* txn, const char* name, unsigned int flags, MDB_dbi* dbi) {
  ROTA_BEFORE(mdb_dbi_open);
  return real(txn, name, flags, dbi);
}

int mdb_get(MDB_txn* txn, MDB_dbi dbi, MDB_val* key, MDB_val* data) {
  ROTA_BEFORE(mdb_get);
  return real(txn, dbi, key, data);
}

int mdb_cursor_open(MDB_txn* txn, MDB_dbi dbi, MDB_cursor** cursor) {
  ROTA_BEFORE(mdb_cursor_open);
  return real(txn, dbi, cursor);
}

int mdb_cursor_get(MDB_cursor* cursor, MDB_val* key, MDB_val* data, MDB_cursor_op op) {
  ROTA_BEFORE(mdb_cursor_get);
  return real(cursor, key, data, op);
}

int mdb_cursor_put(MDB_cursor* cursor, MDB_val* key, MDB_val* data, unsigned int flags) {
  ROTA_BEFORE(mdb_cursor_put);
  return real(cursor, key, data, flags);
}

int mdb_cursor_del(MDB_cursor* cursor, unsigned int flags) {
  ROTA_BEFORE(mdb_cursor_del);
  return real(cursor, flags);
}

int mdb_reader_check(MDB_env* env, int* dead) {
  ROTA_BEFORE(mdb_reader_check);
  return real(env, dead);
}
}
