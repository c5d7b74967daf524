#include "broker/queue/key_table.h"

#include "common/base/keyed_hash.h"

namespace rota::queue {

KeyTable::KeyTable() {
  tables_.reserve(kTables);
  for (std::size_t i = 0; i < kTables; ++i) tables_.emplace_back(0, Hash{this}, Equal{this});
}

std::size_t KeyTable::Hash::operator()(const Name& name) const { return absl::HashOf(name.queue, keyed_hash(name.key)); }

KeyTable::Table& KeyTable::table_of(const Name& name) { return tables_[(Hash{this}(name) >> 48U) % kTables]; }
const KeyTable::Table& KeyTable::table_of(const Name& name) const { return tables_[(Hash{this}(name) >> 48U) % kTables]; }

std::uint32_t KeyTable::find(std::uint32_t queue, std::string_view key) const {
  const Name name{queue, key};
  const Table& table = table_of(name);
  const auto found = table.find(name);
  return found == table.end() ? kNone : *found;
}

std::uint32_t KeyTable::add(std::uint32_t queue, std::string_view key) {
  const std::uint32_t index = records_.allocate();
  records_[index].queue = queue;
  records_[index].text = key;
  return index;
}

void KeyTable::hold(std::uint32_t index) {
  ROTA_CHECK(!records_[index].held);
  ROTA_CHECK(table_of(name_of(index)).insert(index).second);
  records_[index].held = true;
}

void KeyTable::release(std::uint32_t index) {
  if (!records_[index].held) return;
  ROTA_CHECK(table_of(name_of(index)).erase(name_of(index)) == 1);
  records_[index].held = false;
}

void KeyTable::erase(std::uint32_t index) {
  release(index);
  records_.release(index);
}

}  // namespace rota::queue
