#include "broker/store/lmdb_meta.h"

#include "broker/store/fields.h"

namespace rota::store::lmdb {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kBrokerKey = "broker";
constexpr std::string_view kNumbersKey = "numbers";
constexpr std::string_view kPausedPrefix = "paused/";

Status write(const Env& env, const Txn& txn, std::string_view key, std::string_view payload) {
  const auto cursor = env.cursor(txn, Table::meta);
  if (!cursor) return cursor.error();
  const int rc = put(*cursor, Table::meta, key, {payload}, 0);
  if (rc != 0) return env.failure("write " + record_name(Table::meta, key), rc);
  return {};
}

Status fill(const Env& env, const Txn& txn) {
  std::string payload;
  FieldWriter(payload).varint(kFormat);
  if (Status status = write(env, txn, kFormatKey, payload); !status) return status;
  payload.clear();
  FieldWriter(payload).uuid(random_uuid());
  if (Status status = write(env, txn, kBrokerKey, payload); !status) return status;
  return write_numbers(env, txn, {});
}

Error lacks(const Env& env, Table table) {
  return {Code::internal, env.directory() + "/data.mdb has no table " + std::string(table_name(table)) +
                              ": it is damaged, or no store; restore it from a backup"};
}

// Tables of a store exist already: its format decides before anything is written.
Result<bool> is_new(Env& env) {
  auto txn = env.begin_read();
  if (!txn) return txn.error();
  const auto there = env.open_table(*txn, Table::meta);
  if (!there) return there.error();
  if (!*there) {
    // All tables are made at once: others without this one are no new store.
    if (env.named_tables(*txn) == 0) return true;
    return lacks(env, Table::meta);
  }
  const auto format = read_format(env, *txn);
  // Committed, not aborted: that is what keeps the table's handle.
  if (const int kept = txn->commit(); kept != 0) return env.failure("open table meta", kept);
  if (!format) return format.error();
  return false;
}

// All tables are made together. One that is not there has a damaged name; a new one in its place would be empty.
Status must_have_tables(Env& env) {
  const auto txn = env.begin_read();
  if (!txn) return txn.error();
  for (std::size_t i = 1; i <= kTableCount; ++i) {
    const auto table = static_cast<Table>(i);
    const auto there = env.open_table(*txn, table);
    if (!there) return there.error();
    if (*there) continue;
    return lacks(env, table);
  }
  return {};
}

}  // namespace

void append_numbers(std::string& out, const Numbers& numbers) {
  FieldWriter write_field(out);
  write_field.varint(numbers.epoch);
  write_field.varint(numbers.next_sequence);
  write_field.varint(numbers.next_dispatch);
  write_field.varint(numbers.next_finish);
  write_field.varint(numbers.next_shared);
  write_field.wall(numbers.id_clock);
}

bool decode_numbers(std::string_view payload, Numbers& numbers) {
  FieldReader read(payload);
  numbers.epoch = read.varint();
  numbers.next_sequence = read.varint();
  numbers.next_dispatch = read.varint();
  numbers.next_finish = read.varint();
  numbers.next_shared = read.varint();
  numbers.id_clock = read.wall();
  return read.ok();
}

Result<std::uint64_t> read_format(const Env& env, const Txn& txn) {
  const auto payload = get(env, txn, Table::meta, kFormatKey);
  if (!payload) return payload.error();
  if (!*payload) return env.damaged(Table::meta, kFormatKey);
  FieldReader read(**payload);
  const std::uint64_t format = read.varint();
  if (!read.ok() || format == 0) return env.damaged(Table::meta, kFormatKey);
  if (format > kFormat) {
    return Error{Code::version, env.directory() + " holds format " + std::to_string(format) + ", this broker reads up to " +
                                    std::to_string(kFormat) + "; use a newer rota-broker"};
  }
  return format;
}

Status prepare_tables(Env& env) {
  const auto fresh = is_new(env);
  if (!fresh) return fresh.error();
  if (!*fresh) {
    if (Status status = must_have_tables(env); !status) return status;
  }
  auto txn = env.begin_write();
  if (!txn) return txn.error();
  if (Status status = env.open_tables(*txn); !status) return status;
  if (*fresh) {
    if (Status status = fill(env, *txn); !status) return status;
  }
  const int rc = txn->commit();
  if (rc != 0) return env.failure("write", rc);
  return {};
}

Result<Uuid> read_broker_id(const Env& env, const Txn& txn) {
  const auto payload = get(env, txn, Table::meta, kBrokerKey);
  if (!payload) return payload.error();
  if (!*payload) return env.damaged(Table::meta, kBrokerKey);
  FieldReader read(**payload);
  const Uuid id = read.uuid();
  if (!read.ok()) return env.damaged(Table::meta, kBrokerKey);
  return id;
}

Result<Numbers> read_numbers(const Env& env, const Txn& txn) {
  const auto payload = get(env, txn, Table::meta, kNumbersKey);
  if (!payload) return payload.error();
  Numbers numbers;
  if (!*payload || !decode_numbers(**payload, numbers)) return env.damaged(Table::meta, kNumbersKey);
  return numbers;
}

Status write_numbers(const Env& env, const Txn& txn, const Numbers& numbers) {
  std::string payload;
  append_numbers(payload, numbers);
  return write(env, txn, kNumbersKey, payload);
}

Status write_pause(const Env& env, const Txn& txn, std::string_view queue, bool paused) {
  const std::string key = std::string(kPausedPrefix).append(queue);
  if (paused) return write(env, txn, key, {});
  const auto cursor = env.cursor(txn, Table::meta);
  if (!cursor) return cursor.error();
  if (const int rc = erase(*cursor, key); rc != 0) return env.failure("delete " + record_name(Table::meta, key), rc);
  return {};
}

Status read_pauses(const Env& env, const Txn& txn, const std::function<void(std::string_view)>& sink) {
  const auto cursor = env.cursor(txn, Table::meta);
  if (!cursor) return cursor.error();
  MDB_val key = to_val(kPausedPrefix);
  MDB_val value{};
  int rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_SET_RANGE);
  for (; rc == 0; rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT)) {
    const std::string_view name = to_view(key);
    if (!name.starts_with(kPausedPrefix)) return {};
    if (!open_record(Table::meta, name, to_view(value))) return env.damaged(Table::meta, name);
    sink(name.substr(kPausedPrefix.size()));
  }
  if (rc != MDB_NOTFOUND) return env.failure("read meta", rc);
  return {};
}

}  // namespace rota::store::lmdb
