#include "broker/server/guard.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "common/base/peer_limits.h"

namespace rota::server {
namespace {

constexpr int kLooks = 3;                            // in a row, before a connection ends
constexpr std::uint64_t kRounds = 2;                 // one of them began and ended between two looks
constexpr Millis kAlertInterval{20};                 // between two looks while something is held
constexpr int kShare = 20;                           // and at least so many times as long as a look takes
constexpr Millis kTrimInterval{10'000};              // a trim of much memory takes some ten milliseconds
constexpr std::uint64_t kFew = 64 * limits::KiB;     // of a message that is on its way: nothing
constexpr std::uint64_t kTiny = 12;                  // times what came in: memory for frames of one byte is 21 times that
constexpr std::uint64_t kGrowth = 32 * limits::MiB;  // of memory, before connections are looked at

// What this process holds besides files: /proc/self/statm, resident less shared.
std::uint64_t anonymous_memory() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0, shared = 0;
  if (!(file >> size >> resident >> shared)) return 0;
  return (resident > shared ? resident - shared : 0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Millis Guard::interval() const { return alert_ ? std::max(kAlertInterval, kShare * took_) : limits::kGuardInterval; }

std::uint64_t Guard::most_ahead() const {
  if (ahead_ <= limits::kMaxAheadTotal) return UINT64_MAX;
  return ahead_ <= 2 * limits::kMaxAheadTotal ? limits::kMaxAhead : 0;
}

std::size_t Guard::look(Peers& clients, Peers& workers, Steady now) {
  if (now < looked_ + interval()) return 0;
  looked_ = now;
  const std::uint64_t memory = anonymous_memory();
  trim(memory, now);
  calm_ = std::min(calm_, memory);
  if (!alert_ && memory < calm_ + kGrowth) return 0;
  const std::int64_t begun = monotonic_us();
  held_ = 0;
  largest_ = Held{};
  std::vector<Held> cut;
  before_.clear();
  std::swap(before_, suspects_);  // those that are not seen again are gone
  const Ahead of_clients = inspect(clients, memory, cut);
  const Ahead of_workers = inspect(workers, memory, cut);
  ahead_ = of_clients.bytes + of_workers.bytes;
  if (of_workers.bytes > limits::kMaxWorkersAhead && cut.empty()) cut.push_back(of_workers.most);
  if (held_ > limits::kMaxHeldTotal && cut.empty()) cut.push_back(largest_);
  for (const Held& held : cut) {
    net::cut(held.connection);
    suspects_.erase(held.connection.fd);
  }
  took_ = Millis{(monotonic_us() - begun) / 1000};
  alert_ = held_ > kGrowth || ahead_ > kGrowth || !suspects_.empty();
  if (!alert_) calm_ = memory;
  return cut.size();
}

// Memory that came free in pieces stays with the process unless asked for.
void Guard::trim(std::uint64_t memory, Steady now) {
  trimmed_ = std::min(trimmed_, memory);
  if (memory < trimmed_ + kGrowth || now < trimmed_at_ + kTrimInterval) return;
  (void)::malloc_trim(0);
  trimmed_at_ = now;
  trimmed_ = anonymous_memory();
}

Guard::Ahead Guard::inspect(Peers& side, std::uint64_t memory, std::vector<Held>& cut) {
  Ahead ahead;
  std::size_t connections = 0;
  net::each_connection(side.port(), [&](const net::Connection& connection) {
    ++connections;
    const std::uint64_t delivered = side.delivered(connection);
    const std::uint64_t bytes = connection.received > delivered ? connection.received - delivered : 0;
    side.note_brought(connection);
    ahead.bytes += bytes;
    if (bytes > ahead.most.bytes) ahead.most = {connection, bytes};
    if (bytes <= kFew) return;
    Suspect& suspect = suspects_[connection.fd];
    if (const auto before = before_.find(connection.fd); before != before_.end()) suspect = before->second;
    if (suspect.peer != connection.peer || suspect.delivered != delivered) {
      suspect = {connection.peer, delivered, side.rounds(), 0, bytes, memory};
    }
    if (side.rounds() < suspect.rounds + kRounds) return;  // whole messages of it may wait
    suspect.rounds = side.rounds();
    held_ += bytes;
    if (bytes > largest_.bytes) largest_ = {connection, bytes};
    // Frames of nothing: memory grows by many times what comes in.
    const bool is_tiny = bytes > suspect.first_bytes + kFew &&
                         memory > suspect.first_memory + kGrowth + kTiny * (bytes - suspect.first_bytes);
    suspect.looks = bytes > max_message_ + limits::kGuardSlack || is_tiny ? suspect.looks + 1 : 0;
    if (suspect.looks >= kLooks) cut.push_back({connection, bytes});
  });
  side.note_connections(connections);
  return ahead;
}

}  // namespace rota::server
