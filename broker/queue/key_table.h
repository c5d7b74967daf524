#pragma once

#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/chunked_slab.h"
#include "broker/queue/job_entry.h"

namespace rota::queue {

// Who holds which unique key of which queue: an unfinished job, or a finished one whose key_for is not over. Split into
// many small tables, so that no insertion costs O(keys).
class KeyTable {
 public:
  struct Record {
    std::string text;
    std::uint32_t queue = 0;
    JobIndex job = kNone;  // its holder; kNone: finished, and dropped from the core
    bool held = false;     // false: only a recently finished job's text, found by nobody
    // The holder, for the answer when it is no more in the core.
    JobId id;
    Wall created_at;
    JobState state = JobState::ready;
    Durability durability = Durability::fsync;
    Steady until = kNeverSteady;  // end of key_for, once the holder is final

    std::uint32_t& free_link() { return job; }
  };

  KeyTable();
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  [[nodiscard]] std::uint32_t find(std::uint32_t queue, std::string_view key) const;  // held ones only
  [[nodiscard]] std::uint32_t add(std::uint32_t queue, std::string_view key);         // not held
  void hold(std::uint32_t index);                                                     // nobody else may
  void release(std::uint32_t index);                                                  // no longer held, text stays
  void erase(std::uint32_t index);
  [[nodiscard]] Record& operator[](std::uint32_t index) { return records_[index]; }
  [[nodiscard]] const Record& operator[](std::uint32_t index) const { return records_[index]; }
  [[nodiscard]] std::uint32_t size() const { return records_.size(); }

 private:
  struct Name {
    std::uint32_t queue = 0;
    std::string_view key;
    bool operator==(const Name&) const = default;
  };
  struct Hash {
    using is_transparent = void;
    const KeyTable* table = nullptr;
    std::size_t operator()(const Name& name) const;
    std::size_t operator()(std::uint32_t index) const { return (*this)(table->name_of(index)); }
  };
  struct Equal {
    using is_transparent = void;
    const KeyTable* table = nullptr;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(std::uint32_t a, const Name& b) const { return table->name_of(a) == b; }
    bool operator()(const Name& a, std::uint32_t b) const { return table->name_of(b) == a; }
  };
  using Table = absl::flat_hash_set<std::uint32_t, Hash, Equal>;
  static constexpr std::size_t kTables = 256;

  [[nodiscard]] Name name_of(std::uint32_t index) const { return {records_[index].queue, records_[index].text}; }
  [[nodiscard]] Table& table_of(const Name& name);
  [[nodiscard]] const Table& table_of(const Name& name) const;

  ChunkedSlab<Record, 1024> records_;
  std::vector<Table> tables_;
};

}  // namespace rota::queue
