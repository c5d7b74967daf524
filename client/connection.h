#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/request_table.h"
#include "common/base/result.h"
#include "common/net/socket.h"
#include "common/wire/codec.h"
#include "common/wire/message.h"

namespace rota::client {

// What a connection tells its owner. Called from within turn() only. Views die with the call.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  // Any message but those of the session itself. An ErrorReply has the number of the request that failed.
  virtual void on_message(const wire::Message& message) = 0;
  // The deadline of this request passed; it is closed already.
  virtual void on_expired(wire::Request request) = 0;
  // A new session: open requests are repeated by the connection, WAITs by its owner.
  virtual void on_resumed() = 0;
  virtual void on_contact(bool back, const std::string& reason) = 0;
};

struct ConnectionOptions {
  std::string endpoint;
  std::string software;
  Timing timing;
  std::uint64_t seed = 0;
};

// What the broker said in its last WELCOME.
struct BrokerFacts {
  Uuid id;
  std::string software;
  Wall wall;       // its id clock …
  Steady wall_at;  // … at this moment here
  std::uint64_t max_payload = limits::kDefaultMaxPayload;
  std::uint64_t max_batch = limits::kMaxBatch;
  std::uint64_t max_message = limits::kMaxMessageBytes;
  Millis dedup_window = limits::kDefaultDedupWindow;
  std::string workers_endpoint;  // as advertised
};

// One broker: socket, session and repetition. Everything happens inside the calls; one thread.
class Connection {
 public:
  Connection(net::Context& context, ConnectionOptions options, ConnectionHandler& handler);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Numbers, encodes and sends a request, now or as soon as there is a session, and repeats it until close().
  wire::Request post(wire::Message& message, Steady deadline, Steady resend_until = kNeverSteady);
  // The same, but first sent at `at` (something refused for now).
  wire::Request post_later(wire::Message& message, Steady at, Steady deadline, Steady resend_until);
  // Sends once, in the present session only, and returns its number; without a session nothing happens.
  std::optional<wire::Request> tell(wire::Message& message);
  void close(wire::Request request);
  // Refused as a whole for now: repeat after a pause; `hint` is the broker's.
  void defer(wire::Request request, Millis hint, std::uint32_t refusals);
  [[nodiscard]] Millis refusal_pause(Millis hint, std::uint32_t refusals) { return table_.refusal_pause(hint, refusals); }
  // The frame as posted; empty if the request is not open.
  [[nodiscard]] std::string_view frame_of(wire::Request request) const;
  // Of all that is open.
  [[nodiscard]] std::size_t open_bytes() const { return open_bytes_; }
  void expect_notices(bool expected) { table_.expect_notices(expected, now_); }

  // Does what is due and handles everything that waits; if there was nothing to handle, first blocks until something comes,
  // something is due, `until` is reached or `wake_fd` (-1: none) is readable. Returns the number of messages handled.
  // Errors are for good: the broker refuses this client (VERSION, FORBIDDEN, …) or the endpoint is malformed.
  [[nodiscard]] Result<std::size_t> turn(Steady until, int wake_fd);

  // A session is open and what was open before it has been repeated.
  [[nodiscard]] bool ready() const { return table_.may_send(); }
  [[nodiscard]] const BrokerFacts& facts() const { return facts_; }
  [[nodiscard]] const std::string& endpoint() const { return options_.endpoint; }
  // The clock as read at the start of this turn, or by refresh().
  [[nodiscard]] Steady now() const { return now_; }
  Steady refresh();
  // Why answers could not be read, if that happened; for the text of a timeout.
  [[nodiscard]] const std::string& unreadable() const { return unreadable_; }
  // Says GOODBYE if a session is open and nothing is asked for in it. Destroy the connection next; that, or the end of its
  // context, takes at most `linger` to hand over what was sent.
  void leave(Millis linger);

 private:
  [[nodiscard]] Status do_what_is_due();
  [[nodiscard]] Status open_socket();
  void say_hello();
  std::size_t receive_all();
  void handle(const wire::Message& message);
  void on_welcome(const wire::Welcome& welcome);
  void on_hello_refused(const wire::ErrorReply& reply);
  void lose_contact(const std::string& reason, Millis hold_off = Millis{0});
  void note_lost(const std::string& reason);
  void transmit(std::string_view frame);
  void flush_outbox();
  [[nodiscard]] bool greeted() const { return table_.phase() == RequestTable::Phase::ready; }
  void keep(wire::Request request, std::string&& frame);
  [[nodiscard]] std::string take_buffer();
  void give_back(std::string&& buffer);

  net::Context& context_;
  ConnectionOptions options_;
  ConnectionHandler& handler_;
  RequestTable table_;
  RequestTable::Turn turn_;
  std::optional<net::Dealer> socket_;
  wire::Decoder decoder_;
  Steady now_;

  std::unordered_map<wire::Request, std::string> frames_;  // of open requests, as sent
  std::size_t open_bytes_ = 0;                             // of them
  std::deque<std::string> outbox_;                         // what the socket had no room for, in order
  Steady stuck_since_{0};
  std::vector<std::string> spare_;  // buffers to reuse
  std::string scratch_;

  BrokerFacts facts_;
  wire::Request hello_ = 0;
  bool was_ready_ = false;
  bool contact_ = false;
  std::optional<Error> fatal_;
  std::string unreadable_;
};

}  // namespace rota::client
