#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/endpoint.h"

// The only place that knows ZeroMQ. No call blocks but wait(); no call throws. A socket belongs to one thread at a time.
namespace rota::net {

// A received body frame. Owns it; view() lives as long as the Frame. Copy what you keep: a kept Frame pins the whole
// receive buffer it came from.
class Frame {
 public:
  Frame();
  ~Frame();
  Frame(Frame&&) noexcept;
  Frame& operator=(Frame&&) noexcept;
  [[nodiscard]] std::string_view view() const;
  // The descriptor of the connection it came from, -1 if that is not known. May be another connection's by now.
  [[nodiscard]] int source_fd() const;

 private:
  friend class Dealer;
  friend class Router;
  // Holds a zmq::message_t in place, so that receiving costs no allocation of ours.
  alignas(8) std::byte storage_[64];
};

// One per process. The first one seeds libzmq's random source, which it never does itself. Must outlive its sockets.
class Context {
 public:
  Context();
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

enum class SendResult : std::uint8_t {
  sent,         // handed to the library; says nothing about arrival
  would_block,  // no room now
  unreachable,  // Router: no such peer any more. A Dealer that is not connected says would_block
};

struct DealerOptions {
  int send_high_water = 2000;         // messages
  std::size_t max_message_bytes = 0;  // larger frames from the broker end the connection; 0: no limit
  Millis linger{0};
};

// A client's or worker's side: one broker, one socket. On silence drop it and connect a new one.
class Dealer {
 public:
  // Starts connecting in the background; blocks only to look up a host that is a name. BAD_MESSAGE for an endpoint that is
  // not understood.
  [[nodiscard]] static Result<Dealer> connect(Context& context, const std::string& endpoint, const DealerOptions& options);
  ~Dealer();
  Dealer(Dealer&&) noexcept;
  Dealer& operator=(Dealer&&) noexcept;

  [[nodiscard]] SendResult send(std::string_view frame);
  // The next waiting message; nothing if there is none. Messages of more or less than one frame are dropped and counted.
  [[nodiscard]] std::optional<Frame> receive();
  // How long close may take to hand over what was sent. Set before destruction.
  void set_linger(Millis linger);
  [[nodiscard]] void* raw();

 private:
  struct State;
  explicit Dealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// ROUTER's name for a connection: opaque bytes, dead with the connection.
using RoutingId = std::string;

struct RouterOptions {
  int send_high_water = 1000;
  int receive_high_water = 1000;
  std::size_t max_message_bytes = 0;
};

class Router {
 public:
  // Errors: BAD_MESSAGE (endpoint), CONFLICT (address in use), INTERNAL; the message names the endpoint.
  [[nodiscard]] static Result<Router> bind(Context& context, const std::string& endpoint, const RouterOptions& options);
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  // Bytes of a peer's large frames (limits::kCountedFrame) that the library holds and the kernel has not taken: what the
  // peer leaves unread. Written by the library's thread.
  using Unread = std::shared_ptr<std::atomic<std::size_t>>;
  // Adds a large frame to `unread`, which may be null.
  [[nodiscard]] SendResult send(const RoutingId& to, std::string_view frame, const Unread& unread = nullptr);
  struct Received {
    RoutingId from;
    Frame frame;
    std::size_t bytes = 0;   // that it took on the wire, with what was drained
    bool malformed = false;  // not exactly one body frame: `frame` is empty, the rest was drained
  };
  // Reuses the storage of `into`. False: nothing waits.
  [[nodiscard]] bool receive(Received& into);
  // The bound endpoint with the real port.
  [[nodiscard]] const std::string& endpoint() const;
  [[nodiscard]] void* raw();

 private:
  struct State;
  explicit Router(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What to wait for: a socket (raw()) or a descriptor.
struct WaitItem {
  void* socket = nullptr;
  int fd = -1;
  bool readable = false;  // set by wait()
};
// Blocks until one is readable or the time is over (negative: no limit). EINTR counts as a wake-up with nothing readable.
void wait(std::span<WaitItem> items, Millis timeout);

}  // namespace rota::net
