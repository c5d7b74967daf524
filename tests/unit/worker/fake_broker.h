#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/net/socket.h"
#include "common/wire/codec.h"

namespace rota::worker {

// A broker of a few lines, driven by the test's own thread: real socket, real codec, no queue.
class FakeBroker {
 public:
  FakeBroker(net::Context& context, const std::string& endpoint, Millis lease = Millis{15'000}) : lease_(lease) {
    auto bound = net::Router::bind(context, endpoint, {});
    // The address of a broker that has just gone is free only when its socket has been closed in the background.
    for (int tries = 0; !bound.ok() && tries < 1000; ++tries) {
      net::wait({}, Millis{5});
      bound = net::Router::bind(context, endpoint, {});
    }
    router_ = std::make_unique<net::Router>(std::move(bound).value());
  }
  [[nodiscard]] const std::string& endpoint() const { return router_->endpoint(); }

  // Serves the worker until `done`; false after 20 s.
  bool serve_until(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!done()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::vector<net::WaitItem> items{{router_->raw(), -1, false}};
      net::wait(items, Millis{20});
      net::Router::Received received;
      while (router_->receive(received)) answer(received);
    }
    return true;
  }
  void send(wire::Body body, wire::Request request = 0) {
    std::string frame;
    wire::encode({request, std::move(body)}, frame);
    EXPECT_EQ(router_->send(worker_, frame), net::SendResult::sent);
  }
  void dispatch(std::string_view type, std::uint32_t count, std::string_view payload = {}, Millis time_limit = Millis{0}) {
    std::string spec;
    wire::encode_spec({}, spec);
    while (count > 0) {
      wire::Dispatch message;
      message.epoch = 1;
      message.shared.resize(1);
      message.shared[0].queue = "default";
      message.shared[0].type = type;
      message.shared[0].time_limit = time_limit;
      message.shared[0].spec = spec;
      for (; count > 0 && message.items.size() < 1000; --count) {
        wire::DispatchItem item;
        item.dispatch = ++dispatched;
        item.id = make_job_id(Wall{1'700'000'000'000}, slot_of_queue("default"), random_);
        item.payload = payload;
        message.items.push_back(item);
      }
      send(std::move(message));
    }
  }

  struct Completion {
    std::uint64_t dispatch = 0;
    AttemptEnd end = AttemptEnd::succeeded;
    std::string error_code, error_message, result;
  };
  std::vector<Completion> completions;
  std::vector<std::uint64_t> released;
  std::size_t hellos = 0, renewals = 0, goodbyes = 0;
  std::size_t listed_started = 0, listed_finished = 0;  // in the last HELLO
  std::uint64_t dispatched = 0;
  bool acknowledges = true;
  double progress = 0;

 private:
  void answer(const net::Router::Received& received) {
    worker_ = received.from;
    const std::string frame{received.frame.view()};
    const auto message = decoder_.decode(frame);
    ASSERT_TRUE(message.ok()) << message.error().message;
    if (const auto* hello = std::get_if<wire::Hello>(&message->body)) {
      ++hellos;
      listed_started = hello->started.size();
      listed_finished = hello->finished.size();
      welcome(*hello, message->request);
    } else if (hellos == 0) {
      send(wire::ErrorReply{Code::no_session, "say HELLO first", Millis{0}}, message->request);
    } else if (const auto* complete = std::get_if<wire::Complete>(&message->body)) {
      for (const wire::CompleteItem& item : complete->items) {
        completions.push_back({item.job.token.dispatch, item.end, std::string{item.report.error_code},
                               std::string{item.report.error_message}, std::string{item.report.result}});
      }
      if (acknowledges) send(wire::Completed{std::vector<Code>(complete->items.size(), Code::ok)}, message->request);
    } else if (const auto* renew = std::get_if<wire::Renew>(&message->body)) {
      ++renewals;
      for (const auto& one : renew->progress) progress = one.fraction;
      send(wire::Renewed{lease_}, message->request);
    } else if (const auto* back = std::get_if<wire::Released>(&message->body)) {
      for (const wire::TokenOf& job : back->jobs) released.push_back(job.token.dispatch);
    } else if (std::holds_alternative<wire::Goodbye>(message->body)) {
      ++goodbyes;
    }
  }
  void welcome(const wire::Hello& hello, wire::Request request) {
    wire::Welcome reply;
    reply.broker_id = random_uuid();
    reply.software = "fake";
    reply.slots = {{0, 4095, 1}};
    reply.max_payload = limits::kDefaultMaxPayload;
    reply.max_batch = limits::kMaxBatch;
    reply.max_message = limits::kMaxMessageBytes;
    reply.clients_endpoint = "tcp://*:5555";
    reply.workers_endpoint = "tcp://*:5556";
    reply.lease = lease_;
    reply.started.assign(hello.started.size(), Code::ok);
    reply.held.assign(hello.held.size(), Code::ok);
    reply.finished.assign(hello.finished.size(), Code::ok);
    send(std::move(reply), request);
  }

  Millis lease_;
  std::unique_ptr<net::Router> router_;
  wire::Decoder decoder_;
  net::RoutingId worker_;
  Prng random_{5};
};

}  // namespace rota::worker
