#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "broker/server/peers.h"
#include "common/base/clock.h"
#include "common/net/connections.h"

namespace rota::server {

// Ends connections that bring more than messages: a message whose frames never end is kept by the library without limit and
// shown to nobody. What the kernel says that a connection brought, less what came out of it as messages, is what the
// library holds of it. Whole messages that only wait to be taken are among that: so a connection is judged by nothing but
// what it holds after every connection was served and nothing came out of it. All of it together says how far peers are
// ahead of the broker. Cheap while memory does not grow; looks at every connection only then. One thread.
class Guard {
 public:
  // `max_message`: the largest body frame that is taken.
  explicit Guard(std::size_t max_message) : max_message_(max_message) {}

  // Looks if it is time. Returns how many connections it ended.
  std::size_t look(Peers& clients, Peers& workers, Steady now);
  // A client that sent so much ahead is answered RETRY_LATER, unread: what all connections brought and nobody has read yet
  // was over its limit at the last look. UINT64_MAX: none.
  [[nodiscard]] std::uint64_t most_ahead() const;
  // When to call look() again at the latest.
  [[nodiscard]] Millis interval() const;

 private:
  struct Suspect {
    std::string peer;
    std::uint64_t delivered = 0;
    std::uint64_t rounds = 0;  // of its side, when it was last looked at
    int looks = 0;             // in a row with too much and nothing delivered
    // When it was first seen with some of a message, and nothing was delivered since:
    std::uint64_t first_bytes = 0, first_memory = 0;
  };
  struct Held {
    net::Connection connection;
    std::uint64_t bytes = 0;
  };
  // What they brought and nobody has read yet: whole messages, and the beginnings of others.
  struct Ahead {
    std::uint64_t bytes = 0;
    Held most;
  };
  [[nodiscard]] Ahead inspect(Peers& side, std::uint64_t memory, std::vector<Held>& cut);
  void trim(std::uint64_t memory, Steady now);

  std::size_t max_message_;
  Steady looked_, trimmed_at_;
  std::uint64_t trimmed_ = 0;  // memory when the allocator last gave back what it could
  std::uint64_t calm_ = 0;     // anonymous memory when nothing was held
  bool alert_ = false;
  Millis took_{0};          // the last look at connections
  std::uint64_t held_ = 0;  // of messages that are not whole
  Held largest_;
  std::uint64_t ahead_ = 0;                              // of all connections
  absl::flat_hash_map<int, Suspect> suspects_, before_;  // of this look and the last
};

}  // namespace rota::server
