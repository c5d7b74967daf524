#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/net/socket.h"
#include "common/wire/codec.h"
#include "worker/core.h"

namespace rota::worker {

// One broker: its socket and its core. Used by the leading thread only.
class Link {
 public:
  Link(std::string endpoint, Identity identity, Slots& slots, net::Context& context);

  // BAD_MESSAGE: the endpoint is not understood.
  [[nodiscard]] Status begin(Steady now);
  // Takes what has arrived, at most so many messages. True: there may be more.
  [[nodiscard]] bool receive(Steady now);
  // Lets the core decide, sends what it wants sent. Then starts, stops and notices are the caller's.
  Actions& turn(Steady now);
  // When turn() must be called next.
  [[nodiscard]] Steady next_deadline() const;

  [[nodiscard]] Core& core() { return core_; }
  [[nodiscard]] Actions& actions() { return actions_; }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  // How a job's command reaches this broker as a client; empty if it was not told.
  [[nodiscard]] std::string clients_endpoint() const;
  [[nodiscard]] void* socket() { return dealer_ ? dealer_->raw() : nullptr; }

 private:
  Status open();
  void reopen(Steady now);
  void try_hello(Steady now);
  void send_all(Steady now);

  std::string endpoint_;
  net::Context& context_;
  Core core_;
  Actions actions_;
  std::optional<net::Dealer> dealer_;
  wire::Decoder decoder_;
  std::unique_ptr<Batch> spare_;  // the next frame is decoded into it
  std::string outgoing_;
  Steady next_hello_ = kNeverSteady;
  Millis hello_wait_{0};
  bool told_no_socket_ = false;  // once, until there is one again
};

}  // namespace rota::worker
