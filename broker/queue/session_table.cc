#include "broker/queue/session_table.h"

namespace rota::queue {

Session* SessionTable::find(SessionRef ref) {
  const std::uint32_t place = ref & 0xFFFFU;
  if (place >= places_.size()) return nullptr;
  Session* session = places_[place].session.get();
  return session != nullptr && session->ref == ref ? session : nullptr;
}
const Session* SessionTable::find(SessionRef ref) const {
  const std::uint32_t place = ref & 0xFFFFU;
  if (place >= places_.size()) return nullptr;
  const Session* session = places_[place].session.get();
  return session != nullptr && session->ref == ref ? session : nullptr;
}

Session* SessionTable::find_uuid(const Uuid& uuid) {
  const auto found = by_uuid_.find(uuid);
  return found == by_uuid_.end() ? nullptr : find(found->second);
}

Session* SessionTable::find_name(std::string_view name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : find(found->second);
}

Session* SessionTable::add(const Uuid& uuid) {
  std::uint32_t place = 0;
  if (!free_.empty()) {
    place = free_.back();
    free_.pop_back();
  } else {
    if (places_.size() >= kMost) return nullptr;
    place = static_cast<std::uint32_t>(places_.size());
    places_.emplace_back();
  }
  Place& at = places_[place];
  at.session = std::make_unique<Session>();
  at.session->ref = (static_cast<std::uint32_t>(at.uses) << 16U) | place;
  at.session->uuid = uuid;
  ROTA_CHECK(by_uuid_.emplace(uuid, at.session->ref).second);
  return at.session.get();
}

void SessionTable::set_name(Session& session, std::string_view name) {
  if (!session.name.empty()) by_name_.erase(session.name);
  session.name = name;
  ROTA_CHECK(by_name_.emplace(session.name, session.ref).second);
}

void SessionTable::note_goodbye(const Session& session) {
  const auto [at, is_new] = left_.insert_or_assign(session.uuid, session.connection);
  if (!is_new) return;
  left_in_order_.push_back(session.uuid);
  if (left_in_order_.size() <= limits::kMaxWorkers) return;
  left_.erase(left_in_order_.front());
  left_in_order_.pop_front();
}

bool SessionTable::has_left(const Uuid& uuid, std::uint64_t connection) const {
  const auto found = left_.find(uuid);
  return found != left_.end() && connection < found->second;
}

void SessionTable::erase(SessionRef ref) {
  const std::uint32_t place = ref & 0xFFFFU;
  Session* session = find(ref);
  ROTA_CHECK(session != nullptr);
  by_uuid_.erase(session->uuid);
  if (!session->name.empty()) by_name_.erase(session->name);
  places_[place].session.reset();
  ++places_[place].uses;
  free_.push_back(place);
}

}  // namespace rota::queue
