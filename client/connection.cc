#include "client/connection.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace rota::client {

namespace {

constexpr std::size_t kSpareBuffers = 64;
constexpr Millis kStuck{300};
constexpr Millis kOutboxRetry{2};  // the socket tells nobody when it has room again

wire::DecodeLimits decode_limits() {
  // The broker's own --max-payload bounds what it sends; the client need not be stricter.
  wire::DecodeLimits limits;
  limits.max_payload = limits::kLargestMaxPayload;
  return limits;
}

}  // namespace

Connection::Connection(net::Context& context, ConnectionOptions options, ConnectionHandler& handler)
    : context_(context),
      options_(std::move(options)),
      handler_(handler),
      table_(options_.timing, Prng(options_.seed)),
      decoder_(decode_limits()),
      now_(read_clocks().steady) {}

Connection::~Connection() = default;

Steady Connection::refresh() {
  now_ = read_clocks().steady;
  return now_;
}

void Connection::leave(Millis linger) {
  if (!socket_) return;
  // GOODBYE overtakes what the broker keeps waiting for its store: with requests open it could undo a submit.
  if (ready() && outbox_.empty() && table_.open_count() == 0) {
    wire::Message goodbye;
    goodbye.body = wire::Goodbye{Code::ok, "done"};
    scratch_.clear();
    wire::encode(goodbye, scratch_);
    static_cast<void>(socket_->send(scratch_));  // nobody there: nobody to tell
  }
  socket_->set_linger(linger);
}

wire::Request Connection::post(wire::Message& message, Steady deadline, Steady resend_until) {
  const wire::Request request = table_.open(now_, deadline, resend_until);
  message.request = request;
  std::string frame = take_buffer();
  wire::encode(message, frame);
  if (ready()) {
    transmit(frame);
    table_.sent(request, now_);
  }
  keep(request, std::move(frame));
  return request;
}

void Connection::keep(wire::Request request, std::string&& frame) {
  open_bytes_ += frame.size();
  frames_.emplace(request, std::move(frame));
}

wire::Request Connection::post_later(wire::Message& message, Steady at, Steady deadline, Steady resend_until) {
  const wire::Request request = table_.open(now_, deadline, resend_until);
  table_.defer(request, at);
  message.request = request;
  std::string frame = take_buffer();
  wire::encode(message, frame);
  keep(request, std::move(frame));
  return request;
}

std::optional<wire::Request> Connection::tell(wire::Message& message) {
  if (!ready()) return std::nullopt;
  message.request = table_.number();
  scratch_.clear();
  wire::encode(message, scratch_);
  transmit(scratch_);
  return message.request;
}

void Connection::close(wire::Request request) {
  table_.close(request);
  const auto found = frames_.find(request);
  if (found == frames_.end()) return;
  open_bytes_ -= found->second.size();
  give_back(std::move(found->second));
  frames_.erase(found);
}

void Connection::defer(wire::Request request, Millis hint, std::uint32_t refusals) {
  table_.defer(request, now_ + table_.refusal_pause(hint, refusals));
}

std::string_view Connection::frame_of(wire::Request request) const {
  const auto found = frames_.find(request);
  return found == frames_.end() ? std::string_view{} : std::string_view{found->second};
}

Result<std::size_t> Connection::turn(Steady until, int wake_fd) {
  refresh();
  if (const Status done = do_what_is_due(); !done) return done.error();
  std::size_t handled = receive_all();
  if (fatal_) return *fatal_;
  if (turn_.resumed) ++handled;  // ready() has changed: let the caller look
  if (handled > 0 || now_ >= until) return handled;

  Steady next = std::min(until, table_.next_event());
  if (!outbox_.empty()) next = std::min(next, now_ + kOutboxRetry);
  std::array<net::WaitItem, 2> items;
  std::size_t count = 0;
  if (socket_) items[count++].socket = socket_->raw();
  if (wake_fd >= 0) items[count++].fd = wake_fd;
  if (next > now_) {
    const Millis wait = next == kNeverSteady ? Millis{-1} : next - now_;
    net::wait(std::span(items.data(), count), wait);
    refresh();
  }
  if (const Status done = do_what_is_due(); !done) return done.error();
  handled = receive_all();
  if (fatal_) return *fatal_;
  return handled;
}

Status Connection::do_what_is_due() {
  table_.tick(now_, turn_);
  if (turn_.silent) note_lost("no sign of life for " + std::to_string(options_.timing.silence.count() / 1000) + " s");
  if (turn_.new_socket) {
    if (Status opened = open_socket(); !opened) return opened;
    if (socket_) say_hello();
  } else if (turn_.hello) {
    say_hello();
  }
  flush_outbox();
  for (const wire::Request request : turn_.send) {
    const auto found = frames_.find(request);
    if (found == frames_.end()) continue;
    transmit(found->second);
    table_.sent(request, now_);
  }
  if (turn_.resumed) handler_.on_resumed();
  if (turn_.ping) {
    wire::Message ping;
    ping.body = wire::Ping{};
    static_cast<void>(tell(ping));
    table_.ping_sent(now_);
  }
  // By index: a handler may post, which does not touch turn_.
  for (std::size_t i = 0; i < turn_.expired.size(); ++i) {
    handler_.on_expired(turn_.expired[i]);
    close(turn_.expired[i]);
  }
  return {};
}

Status Connection::open_socket() {
  socket_.reset();
  outbox_.clear();
  net::DealerOptions options;
  options.max_message_bytes = limits::max_message_bytes(limits::kLargestMaxPayload);
  Result<net::Dealer> dealer = net::Dealer::connect(context_, options_.endpoint, options);
  if (!dealer && is_retryable(dealer.error().code) && was_ready_) {
    // Descriptors ran out for now: what is open is kept until there is one again.
    note_lost(dealer.error().message);
    table_.contact_lost(now_, options_.timing.reopen);
    return {};
  }
  if (!dealer) {
    fatal_ = dealer.error();
    return dealer.error();
  }
  socket_.emplace(std::move(dealer).value());
  table_.socket_opened(now_);
  return {};
}

void Connection::say_hello() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  wire::Hello hello;
  hello.software = options_.software;
  hello.host = host.data();
  hello.pid = static_cast<std::uint64_t>(::getpid());
  wire::Message message;
  hello_ = message.request = table_.number();
  message.body = std::move(hello);
  scratch_.clear();
  wire::encode(message, scratch_);
  if (socket_->send(scratch_) == net::SendResult::sent) {
    table_.hello_sent(now_);
  } else {
    table_.hello_refused(now_);
  }
}

std::size_t Connection::receive_all() {
  std::size_t handled = 0;
  while (socket_ && handled < limits::kTurnMessages) {
    std::optional<net::Frame> frame = socket_->receive();
    if (!frame) break;
    ++handled;
    Result<wire::Message> message = decoder_.decode(frame->view());
    if (!message) {
      unreadable_ = message.error().message;
      continue;
    }
    table_.heard(now_);
    handle(*message);
  }
  return handled;
}

void Connection::handle(const wire::Message& message) {
  if (const auto* welcome = std::get_if<wire::Welcome>(&message.body)) {
    if (message.request == hello_) on_welcome(*welcome);
    return;
  }
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&message.body)) {
    return lose_contact(goodbye->reason.empty() ? "the broker said goodbye"
                                                : "the broker said goodbye: " + std::string(goodbye->reason));
  }
  if (const auto* error = std::get_if<wire::ErrorReply>(&message.body)) {
    if (error->code == Code::no_session) {
      // A late answer to something sent before the HELLO of this socket says nothing about the session.
      if (greeted()) lose_contact("the broker does not know this session (it was restarted)");
      return;
    }
    if (message.request == hello_ && !greeted()) return on_hello_refused(*error);
  }
  handler_.on_message(message);
}

void Connection::on_welcome(const wire::Welcome& welcome) {
  facts_.id = welcome.broker_id;
  facts_.software = welcome.software;
  facts_.wall = welcome.wall;
  facts_.wall_at = now_;
  if (welcome.max_payload > 0) facts_.max_payload = welcome.max_payload;
  if (welcome.max_batch > 0) facts_.max_batch = std::min<std::uint64_t>(welcome.max_batch, limits::kMaxBatch);
  if (welcome.max_message > 0) facts_.max_message = welcome.max_message;
  if (welcome.dedup_window.count() > 0) facts_.dedup_window = welcome.dedup_window;
  facts_.workers_endpoint = welcome.workers_endpoint;
  table_.welcomed(now_);
  if (was_ready_ && !contact_) handler_.on_contact(true, {});
  was_ready_ = contact_ = true;
}

void Connection::on_hello_refused(const wire::ErrorReply& reply) {
  if (is_retryable(reply.code)) {
    const Millis pause = reply.retry_after.count() > 0 ? reply.retry_after : limits::kRetryLaterHint;
    return table_.contact_lost(now_, pause);
  }
  fatal_ = Error{reply.code, "the broker at " + options_.endpoint + " refused this client: " + std::string(reply.message)};
}

void Connection::lose_contact(const std::string& reason, Millis hold_off) {
  note_lost(reason);
  table_.contact_lost(now_, hold_off);
}

void Connection::note_lost(const std::string& reason) {
  if (contact_) handler_.on_contact(false, reason);
  contact_ = false;
}

void Connection::transmit(std::string_view frame) {
  if (outbox_.empty() && socket_->send(frame) == net::SendResult::sent) return;
  if (outbox_.empty()) stuck_since_ = now_;
  outbox_.emplace_back(frame);
}

void Connection::flush_outbox() {
  while (!outbox_.empty() && socket_ && socket_->send(outbox_.front()) == net::SendResult::sent) {
    outbox_.pop_front();
    stuck_since_ = now_;
  }
  // With thousands of messages of room, a socket that takes none has no peer any more.
  if (!outbox_.empty() && greeted() && now_ >= stuck_since_ + kStuck) lose_contact("the connection is down");
}

std::string Connection::take_buffer() {
  if (spare_.empty()) return {};
  std::string buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

void Connection::give_back(std::string&& buffer) {
  if (spare_.size() >= kSpareBuffers) return;
  buffer.clear();
  spare_.push_back(std::move(buffer));
}

}  // namespace rota::client
