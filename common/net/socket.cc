#include "common/net/socket.h"

#include <netdb.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <zmq.hpp>

#include "common/base/check.h"
#include "common/base/entropy.h"
#include "common/base/peer_limits.h"
#include "common/net/endpoint.h"

// What each option is set against stands in docs/architecture.md, "Sockets". ZMTP heartbeats stay off everywhere: with a
// finite receive mark a stalled peer aborts the process.
namespace rota::net {
namespace {

constexpr int kReconnectMs = 100;
constexpr int kReconnectMostMs = 5000;
constexpr int kConnectTimeoutMs = 5000;
constexpr int kHandshakeMs = 10'000;
constexpr int kBacklog = 4096;
constexpr int kTcpMaxRetransmitMs = 30'000;

zmq::message_t& message_in(std::byte* storage) { return *std::launder(reinterpret_cast<zmq::message_t*>(storage)); }

void set_common(zmq::socket_t& socket, std::size_t max_message_bytes) {
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, 30);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, 10);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
  socket.set(zmq::sockopt::tcp_maxrt, kTcpMaxRetransmitMs);
  socket.set(zmq::sockopt::maxmsgsize,
             max_message_bytes == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(max_message_bytes));
}

// libzmq tries one address only. With IPv6 on, "localhost" would be ::1 alone, where a broker on 127.0.0.1 is not found;
// so IPv6 is switched on only for hosts that have no IPv4 address.
bool needs_ipv6(const std::string& endpoint) {
  const auto parts = parse_tcp_endpoint(endpoint);
  if (!parts) return false;
  if (parts->host.starts_with('[')) return true;
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(parts->host.c_str(), nullptr, &hints, &found);
  if (found != nullptr) ::freeaddrinfo(found);
  return error == EAI_NONAME || error == EAI_ADDRFAMILY || error == EAI_NODATA;
}

std::int64_t more_follows(zmq::socket_t& socket) { return socket.get(zmq::sockopt::rcvmore); }

// Receives into `message` without blocking or throwing.
bool receive_part(zmq::socket_t& socket, zmq::message_t& message) {
  return zmq_msg_recv(message.handle(), socket.handle(), ZMQ_DONTWAIT) >= 0;
}

// A large frame on its way: the bytes stand behind it in the same allocation, which the library gives back when the kernel
// has taken them, or when the connection is gone.
struct Parcel {
  Router::Unread unread;
  std::size_t size = 0;
};

void give_back(void* /*bytes*/, void* hint) {
  auto* parcel = static_cast<Parcel*>(hint);
  parcel->unread->fetch_sub(parcel->size, std::memory_order_relaxed);
  parcel->~Parcel();
  ::operator delete(hint);
}

int send_parcel(void* socket, std::string_view frame, const Router::Unread& unread) {
  void* memory = ::operator new(sizeof(Parcel) + frame.size());
  auto* parcel = new (memory) Parcel{unread, frame.size()};
  void* bytes = parcel + 1;
  std::memcpy(bytes, frame.data(), frame.size());
  unread->fetch_add(frame.size(), std::memory_order_relaxed);
  zmq_msg_t message;
  if (zmq_msg_init_data(&message, bytes, frame.size(), give_back, parcel) != 0) {
    give_back(bytes, parcel);
    return -1;
  }
  const int sent = zmq_msg_send(&message, socket, ZMQ_DONTWAIT);
  if (sent < 0) zmq_msg_close(&message);
  return sent;
}

// What a part took on the wire: ZMTP's flags and length before it.
std::size_t wire_size(const zmq::message_t& part) { return part.size() + (part.size() > 255 ? 9 : 2); }

std::size_t drain_rest(zmq::socket_t& socket) {
  std::size_t bytes = 0;
  zmq::message_t rest;
  while (more_follows(socket) != 0 && receive_part(socket, rest)) bytes += wire_size(rest);
  return bytes;
}

}  // namespace

// --- Frame ------------------------------------------------------------------------------------------------------------

Frame::Frame() {
  static_assert(sizeof(zmq::message_t) <= sizeof storage_ && alignof(zmq::message_t) <= 8);
  new (storage_) zmq::message_t();
}
Frame::~Frame() { message_in(storage_).~message_t(); }
Frame::Frame(Frame&& other) noexcept { new (storage_) zmq::message_t(std::move(message_in(other.storage_))); }
Frame& Frame::operator=(Frame&& other) noexcept {
  if (this != &other) message_in(storage_) = std::move(message_in(other.storage_));
  return *this;
}
std::string_view Frame::view() const {
  const auto& message = *std::launder(reinterpret_cast<const zmq::message_t*>(storage_));
  return {static_cast<const char*>(message.data()), message.size()};
}

int Frame::source_fd() const {
  const auto& message = *std::launder(reinterpret_cast<const zmq::message_t*>(storage_));
  return zmq_msg_get(message.handle(), ZMQ_SRCFD);
}

// --- Context ----------------------------------------------------------------------------------------------------------

struct Context::State {
  zmq::context_t context{1};
};

Context::Context() {
  // libzmq draws routing ids and reconnect jitter from rand() and never seeds it; equal ids abort a ROUTER.
  std::srand(static_cast<unsigned>(random_u64()));
  state_ = std::make_unique<State>();
  state_->context.set(zmq::ctxopt::max_sockets, 16 * 1024);
}
Context::~Context() = default;

// --- Dealer -----------------------------------------------------------------------------------------------------------

struct Dealer::State {
  zmq::socket_t socket;
};

Dealer::Dealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Dealer::~Dealer() = default;
Dealer::Dealer(Dealer&&) noexcept = default;
Dealer& Dealer::operator=(Dealer&&) noexcept = default;

Result<Dealer> Dealer::connect(Context& context, const std::string& endpoint, const DealerOptions& options) {
  try {
    auto state = std::make_unique<State>();
    state->socket = zmq::socket_t(context.state().context, zmq::socket_type::dealer);
    zmq::socket_t& socket = state->socket;
    set_common(socket, options.max_message_bytes);
    socket.set(zmq::sockopt::ipv6, needs_ipv6(endpoint) ? 1 : 0);
    socket.set(zmq::sockopt::immediate, 1);  // 0 would replay stale messages to a restarted broker ahead of HELLO
    socket.set(zmq::sockopt::rcvhwm, 0);     // credit and windows bound what can arrive
    socket.set(zmq::sockopt::sndhwm, options.send_high_water);
    socket.set(zmq::sockopt::linger, static_cast<int>(options.linger.count()));
    socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
    socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectMostMs);
    socket.set(zmq::sockopt::connect_timeout, kConnectTimeoutMs);
    socket.connect(endpoint);
    return Dealer(std::move(state));
  } catch (const zmq::error_t& error) {
    if (error.num() == EMFILE || error.num() == ENFILE || error.num() == ENOMEM || error.num() == ENOBUFS) {
      return Error{Code::retry_later, "cannot open a socket to '" + endpoint + "': " + error.what() +
                                          "; raise the limit of open files (ulimit -n), or close some"};
    }
    return Error{Code::bad_message,
                 "cannot connect to '" + endpoint + "': " + error.what() + "; an endpoint looks like tcp://10.0.0.5:5555"};
  }
}

SendResult Dealer::send(std::string_view frame) {
  const int sent = zmq_send(state_->socket.handle(), frame.data(), frame.size(), ZMQ_DONTWAIT);
  return sent >= 0 ? SendResult::sent : SendResult::would_block;
}

std::optional<Frame> Dealer::receive() {
  for (;;) {
    Frame frame;
    if (!receive_part(state_->socket, message_in(frame.storage_))) return std::nullopt;
    if (more_follows(state_->socket) == 0) return frame;
    (void)drain_rest(state_->socket);  // not of this protocol; the next message may be
  }
}

void Dealer::set_linger(Millis linger) { state_->socket.set(zmq::sockopt::linger, static_cast<int>(linger.count())); }

void* Dealer::raw() { return state_->socket.handle(); }

// --- Router -----------------------------------------------------------------------------------------------------------

struct Router::State {
  zmq::socket_t socket;
  std::string endpoint;
};

Router::Router(std::unique_ptr<State> state) : state_(std::move(state)) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

Result<Router> Router::bind(Context& context, const std::string& endpoint, const RouterOptions& options) {
  try {
    auto state = std::make_unique<State>();
    state->socket = zmq::socket_t(context.state().context, zmq::socket_type::router);
    zmq::socket_t& socket = state->socket;
    set_common(socket, options.max_message_bytes);
    socket.set(zmq::sockopt::ipv6, 1);
    socket.set(zmq::sockopt::router_mandatory, 1);  // otherwise sends to the departed "succeed"
    socket.set(zmq::sockopt::sndhwm, options.send_high_water);
    socket.set(zmq::sockopt::rcvhwm, options.receive_high_water);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    socket.set(zmq::sockopt::backlog, kBacklog);
    socket.bind(endpoint);
    state->endpoint = socket.get(zmq::sockopt::last_endpoint);
    return Router(std::move(state));
  } catch (const zmq::error_t& error) {
    if (error.num() == EADDRINUSE) {
      return Error{Code::conflict,
                   "cannot bind " + endpoint + ": another process has this address; stop it, or choose another port"};
    }
    const bool malformed = error.num() == EINVAL || error.num() == EPROTONOSUPPORT || error.num() == ENODEV;
    return Error{malformed ? Code::bad_message : Code::internal,
                 "cannot bind " + endpoint + ": " + error.what() +
                     "; give an address of this host and a port that this user may bind"};
  }
}

SendResult Router::send(const RoutingId& to, std::string_view frame, const Unread& unread) {
  void* socket = state_->socket.handle();
  if (zmq_send(socket, to.data(), to.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
    return errno == EAGAIN || errno == EINTR ? SendResult::would_block : SendResult::unreachable;
  }
  const bool counted = unread != nullptr && frame.size() >= limits::kCountedFrame;
  const int sent =
      counted ? send_parcel(socket, frame, unread) : zmq_send(socket, frame.data(), frame.size(), ZMQ_DONTWAIT);
  return sent >= 0 ? SendResult::sent : SendResult::unreachable;
}

bool Router::receive(Received& into) {
  zmq::message_t id;
  if (!receive_part(state_->socket, id)) return false;
  into.from.assign(static_cast<const char*>(id.data()), id.size());
  zmq::message_t& body = message_in(into.frame.storage_);
  into.malformed = more_follows(state_->socket) == 0 || !receive_part(state_->socket, body);
  into.bytes = into.malformed ? 0 : wire_size(body);
  if (!into.malformed && more_follows(state_->socket) != 0) {
    into.malformed = true;
    into.bytes += drain_rest(state_->socket);
  }
  if (into.malformed) body.rebuild();
  return true;
}

const std::string& Router::endpoint() const { return state_->endpoint; }

void* Router::raw() { return state_->socket.handle(); }

// --- wait -------------------------------------------------------------------------------------------------------------

void wait(std::span<WaitItem> items, Millis timeout) {
  constexpr std::size_t kMost = 64;
  ROTA_CHECK(items.size() <= kMost);
  std::array<zmq_pollitem_t, kMost> polled{};
  for (std::size_t i = 0; i < items.size(); ++i) polled[i] = {items[i].socket, items[i].fd, ZMQ_POLLIN, 0};
  const int ready = zmq_poll(polled.data(), static_cast<int>(items.size()), timeout.count() < 0 ? -1 : timeout.count());
  for (std::size_t i = 0; i < items.size(); ++i) items[i].readable = ready > 0 && polled[i].revents != 0;
}

}  // namespace rota::net
