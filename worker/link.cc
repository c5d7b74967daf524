#include "worker/link.h"

#include <algorithm>
#include <utility>

#include "common/base/entropy.h"

namespace rota::worker {
namespace {

constexpr std::size_t kReceiveAtOnce = 64;
// A connection in the making gives no event to wait for: HELLO is tried until it is taken.
constexpr Millis kHelloTryFirst{2};
constexpr Millis kHelloTryMost{100};
constexpr Millis kLingerAtEnd{1500};

net::DealerOptions dealer_options() {
  net::DealerOptions options;
  options.send_high_water = static_cast<int>(2 * limits::kMaxCredit);
  options.max_message_bytes = limits::max_message_bytes(limits::kLargestMaxPayload);
  return options;
}

}  // namespace

Link::Link(std::string endpoint, Identity identity, Slots& slots, net::Context& context)
    : endpoint_(std::move(endpoint)),
      context_(context),
      core_(std::move(identity), slots, Prng{random_u64()}),
      decoder_(wire::DecodeLimits{limits::kLargestMaxPayload, limits::kMaxBatch}),
      spare_(std::make_unique<Batch>()) {}

Status Link::open() {
  dealer_.reset();
  Result<net::Dealer> made = net::Dealer::connect(context_, endpoint_, dealer_options());
  if (!made) return made.error();
  dealer_.emplace(std::move(made).value());
  return {};
}

Status Link::begin(Steady now) {
  Status opened = open();
  if (!opened) return opened;
  core_.begin(now, actions_);
  actions_.reconnect = false;
  next_hello_ = now;
  hello_wait_ = kHelloTryFirst;
  return {};
}

bool Link::receive(Steady now) {
  if (!dealer_) return false;
  for (std::size_t count = 0; count < kReceiveAtOnce; ++count) {
    std::optional<net::Frame> frame = dealer_->receive();
    if (!frame) return false;
    spare_->frame.assign(frame->view());
    Result<wire::Message> message = decoder_.decode(spare_->frame);
    if (!message) {
      actions_.notices.push_back(
          {Notice::Kind::trouble, "a message from the broker was not understood: " + message.error().message});
      continue;
    }
    auto* const dispatch = std::get_if<wire::Dispatch>(&message->body);
    if (dispatch == nullptr) {
      core_.received(*message, now, actions_);
      // Answers that point into the frame do not exist; verdicts and codes were copied.
      continue;
    }
    std::unique_ptr<Batch> batch = std::exchange(spare_, std::make_unique<Batch>());
    batch->dispatch = std::move(*dispatch);
    batch->specs.resize(batch->dispatch.shared.size());
    for (std::size_t at = 0; at < batch->specs.size(); ++at) {
      Result<wire::Spec> spec = wire::decode_spec(batch->dispatch.shared[at].spec);
      if (spec) batch->specs[at] = std::move(spec).value();
    }
    core_.dispatched(std::move(batch), now, actions_);
  }
  return true;
}

Actions& Link::turn(Steady now) {
  core_.turn(now, actions_);
  if (actions_.reconnect) reopen(now);
  send_all(now);
  if (dealer_ && core_.wants_hello() && now >= next_hello_) try_hello(now);
  if (core_.ended() && dealer_) {
    dealer_->set_linger(kLingerAtEnd);
    dealer_.reset();
  }
  return actions_;
}

// The endpoint was understood at begin(), so a failure passes: no free descriptor, say. What runs must outlive that.
void Link::reopen(Steady now) {
  const Status opened = open();
  if (opened) {
    told_no_socket_ = false;
    next_hello_ = now;
    hello_wait_ = kHelloTryFirst;
    return;
  }
  if (!std::exchange(told_no_socket_, true)) {
    actions_.notices.push_back(
        {Notice::Kind::trouble, "no new connection yet; trying again, running jobs go on: " + opened.error().message});
  }
  core_.open_failed(now, actions_);
}

void Link::try_hello(Steady now) {
  outgoing_.clear();
  wire::encode(core_.hello(), outgoing_);
  if (dealer_->send(outgoing_) == net::SendResult::sent) {
    core_.hello_sent(now);
    return;
  }
  next_hello_ = now + hello_wait_;
  hello_wait_ = std::min(hello_wait_ * 2, kHelloTryMost);
}

void Link::send_all(Steady now) {
  bool sent = dealer_.has_value();
  for (const wire::Message& message : actions_.send) {
    if (!sent) break;
    outgoing_.clear();
    wire::encode(message, outgoing_);
    sent = dealer_->send(outgoing_) == net::SendResult::sent;
  }
  if (!sent && !actions_.send.empty() && !core_.ended()) core_.send_failed(now, actions_);
  actions_.send.clear();
}

Steady Link::next_deadline() const {
  const Steady next = core_.next_deadline();
  return core_.wants_hello() ? std::min(next, next_hello_) : next;
}

std::string Link::clients_endpoint() const {
  return core_.clients_endpoint().empty() ? std::string{} : net::resolve_advertised(core_.clients_endpoint(), endpoint_);
}

}  // namespace rota::worker
