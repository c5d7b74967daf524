#pragma once

#include <functional>

#include "broker/store/lmdb_env.h"

// The table `meta`: "format" → number; "broker" → the store's uuid; "numbers" → the counters below; "paused/NAME" → empty,
// one for each paused queue.
namespace rota::store::lmdb {

// Written with every commit, so that no number is given twice although the record that bore it was deleted.
struct Numbers {
  std::uint64_t epoch = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_dispatch = 1;
  std::uint64_t next_finish = 1;
  std::uint64_t next_shared = 1;
  Wall id_clock;
};
void append_numbers(std::string& out, const Numbers& numbers);
[[nodiscard]] bool decode_numbers(std::string_view payload, Numbers& numbers);

// Makes the tables and fills `meta` in an empty environment; opens them in any other. VERSION if the format is newer.
[[nodiscard]] Status prepare_tables(Env& env);
// VERSION if it is newer than this broker reads.
[[nodiscard]] Result<std::uint64_t> read_format(const Env& env, const Txn& txn);
[[nodiscard]] Result<Uuid> read_broker_id(const Env& env, const Txn& txn);
[[nodiscard]] Result<Numbers> read_numbers(const Env& env, const Txn& txn);
[[nodiscard]] Status write_numbers(const Env& env, const Txn& txn, const Numbers& numbers);
[[nodiscard]] Status write_pause(const Env& env, const Txn& txn, std::string_view queue, bool paused);
[[nodiscard]] Status read_pauses(const Env& env, const Txn& txn, const std::function<void(std::string_view)>& sink);

}  // namespace rota::store::lmdb
