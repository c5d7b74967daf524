#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/wire/codec.h"
#include "worker/core.h"

namespace rota::worker {

// Drives a core with scripted time and messages. Everything crosses the real codec, both ways.
class CoreDriver {
 public:
  explicit CoreDriver(std::uint32_t slots = 2, bool killable = false) {
    slots_.total = slots;
    Identity identity;
    identity.session = random_uuid();
    identity.name = "w1";
    identity.host = "h";
    identity.boot_id = "b";
    identity.software = "rota test";
    identity.pid = 7;
    identity.queues = {{"default", 1}};
    identity.types = {{"work", killable}};
    core = std::make_unique<Core>(identity, slots_, Prng{1});
  }

  // Turns and keeps what was wanted; messages as the broker would read them.
  void turn() {
    core->turn(now, actions_);
    for (const wire::Message& message : actions_.send) {
      frames_.push_back(std::make_unique<std::string>());
      wire::encode(message, *frames_.back());
      auto decoded = decoder_.decode(*frames_.back());
      ASSERT_TRUE(decoded.ok()) << decoded.error().message;
      sent.push_back(std::move(decoded).value());
    }
    for (const Handle job : actions_.start) started.push_back(job);
    for (const Stop& stop : actions_.stop) stopped.push_back(stop);
    for (const Notice& notice : actions_.notices) notices.push_back(notice);
    reconnect = reconnect || actions_.reconnect;
    actions_.clear();
    core->check_invariants();
  }
  void wait(std::int64_t ms) {
    now.ms += ms;
    turn();
  }
  void receive(wire::Body body, wire::Request request = 0) {
    std::string frame;
    wire::encode({request, std::move(body)}, frame);
    auto message = decoder_.decode(frame);
    ASSERT_TRUE(message.ok()) << message.error().message;
    core->received(*message, now, actions_);
    turn();
  }
  // Sends the HELLO and keeps a readable copy.
  void say_hello() {
    ASSERT_TRUE(core->wants_hello());
    reconnect = false;
    const wire::Message hello_message = core->hello();
    hello_request_ = hello_message.request;
    frames_.push_back(std::make_unique<std::string>());
    wire::encode(hello_message, *frames_.back());
    auto decoded = decoder_.decode(*frames_.back());
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    hello = std::get<wire::Hello>(decoded->body);
    core->hello_sent(now);
  }
  void welcome(Code started_verdict = Code::ok, Code held_verdict = Code::ok, Code finished_verdict = Code::ok) {
    wire::Welcome welcome;
    welcome.broker_id = random_uuid();
    welcome.software = "rota test";
    welcome.slots = {{0, 4095, 1}};
    welcome.max_payload = 1024;
    welcome.max_batch = limits::kMaxBatch;
    welcome.max_message = limits::kMaxMessageBytes;
    welcome.clients_endpoint = "tcp://127.0.0.1:5555";
    welcome.workers_endpoint = "tcp://127.0.0.1:5556";
    welcome.lease = Millis{15'000};
    welcome.started.assign(hello.started.size(), started_verdict);
    welcome.held.assign(hello.held.size(), held_verdict);
    welcome.finished.assign(hello.finished.size(), finished_verdict);
    receive(welcome, hello_request_);
  }
  void attach() {
    core->begin(now, actions_);
    turn();
    say_hello();
    welcome();
    sent.clear();
  }
  [[nodiscard]] static wire::DispatchShared work() {
    wire::DispatchShared shared;
    shared.queue = "default";
    shared.type = "work";
    return shared;
  }
  // Dispatches `count` jobs numbered from next_dispatch on.
  void dispatch(std::uint32_t count, wire::DispatchShared shared = work(), Millis expires_in = Millis{0}) {
    wire::Dispatch message;
    message.epoch = 1;
    message.shared = {shared};
    std::string spec;
    wire::encode_spec({}, spec);
    message.shared[0].spec = spec;
    Prng random{next_dispatch};
    for (std::uint32_t at = 0; at < count; ++at) {
      wire::DispatchItem item;
      item.dispatch = next_dispatch++;
      item.id = make_job_id(Wall{1'700'000'000'000}, slot_of_queue("default"), random);
      item.expires_in = expires_in;
      message.items.push_back(item);
      tokens.push_back({item.id, {1, item.dispatch}});
    }
    auto batch = std::make_unique<Batch>();
    wire::encode({0, std::move(message)}, batch->frame);
    auto decoded = decoder_.decode(batch->frame);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    batch->dispatch = std::get<wire::Dispatch>(std::move(decoded->body));
    batch->specs.resize(batch->dispatch.shared.size());
    core->dispatched(std::move(batch), now, actions_);
    turn();
  }
  void finish(std::size_t which, Outcome outcome = Outcome::success(), std::int64_t run_us = 10'000'000) {
    core->finished(started.at(which), std::move(outcome), run_us, now);
    turn();
  }
  // The last message of that kind, and its request number.
  template <typename Body>
  [[nodiscard]] const Body* last(wire::Request* request = nullptr) const {
    for (std::size_t at = sent.size(); at-- > 0;) {
      if (const auto* body = std::get_if<Body>(&sent[at].body)) {
        if (request != nullptr) *request = sent[at].request;
        return body;
      }
    }
    return nullptr;
  }
  void acknowledge(Code code = Code::ok) {
    wire::Request request = 0;
    const auto* complete = last<wire::Complete>(&request);
    ASSERT_NE(complete, nullptr);
    receive(wire::Completed{std::vector<Code>(complete->items.size(), code)}, request);
  }
  void answer_renewal() {
    wire::Request request = 0;
    ASSERT_NE(last<wire::Renew>(&request), nullptr);
    receive(wire::Renewed{Millis{15'000}}, request);
  }
  void kill() {
    core->kill(now, actions_);
    turn();
  }
  void lose_executor() {
    core->executor_lost("the spawner is gone", now, actions_);
    turn();
  }
  void lose_connection() {
    core->send_failed(now, actions_);
    turn();
  }
  void fail_to_open() {
    core->open_failed(now, actions_);
    turn();
  }

  Slots slots_;
  std::unique_ptr<Core> core;
  Steady now{1'000'000};
  std::vector<wire::Message> sent;
  std::vector<Handle> started;
  std::vector<Stop> stopped;
  std::vector<Notice> notices;
  std::vector<wire::TokenOf> tokens;
  wire::Hello hello;
  bool reconnect = false;
  std::uint64_t next_dispatch = 1;

 private:
  Actions actions_;
  wire::Decoder decoder_;
  std::vector<std::unique_ptr<std::string>> frames_;
  wire::Request hello_request_ = 0;
};

}  // namespace rota::worker
