#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/engine.h"
#include "broker/server/load_buffer.h"
#include "broker/store/store.h"
#include "common/base/check.h"
#include "common/base/job_id.h"
#include "common/wire/codec.h"
#include "tests/unit/server/engine_doubles.h"

namespace rota::server {

// A decoded frame that owns its bytes.
class Answer {
 public:
  explicit Answer(std::string frame) : frame_(std::make_unique<std::string>(std::move(frame))) {
    Result<wire::Message> decoded = decoder_.decode(*frame_);
    if (!decoded.ok()) std::fprintf(stderr, "%s\n", decoded.error().message.c_str());
    ROTA_CHECK(decoded.ok());
    message_ = std::move(decoded).value();
  }
  template <typename T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&message_.body);
  }
  [[nodiscard]] wire::Request request() const { return message_.request; }

 private:
  std::unique_ptr<std::string> frame_;
  wire::Decoder decoder_;
  wire::Message message_;
};

// The real codec, core and store around an engine whose store work and clock the test drives.
class EngineRig {
 public:
  explicit EngineRig(std::unique_ptr<store::Store> store, EngineOptions options = {}) : store_(std::move(store)) {
    LoadBuffer nothing;
    ROTA_CHECK(volatile_store_->load(nothing).ok());
    LoadBuffer loaded;
    const Result<store::Opened> opened = store_->load(loaded);
    ROTA_CHECK(opened.ok());
    queue::CoreOptions core_options;
    core_options.epoch = opened->epoch;
    core_options.next_sequence = opened->next_sequence;
    core_options.next_dispatch = opened->next_dispatch;
    core_options.last_id_clock = opened->id_clock;
    core_ = std::make_unique<queue::Core>(core_options, Prng(7));
    loaded.hand_over(*core_, now_);
    options.epoch = opened->epoch;
    options.broker_id = random_uuid();
    options.software = "rota test";
    options.clients_endpoint = "tcp://*:5555";
    options.workers_endpoint = "tcp://*:5556";
    engine_ = std::make_unique<Engine>(std::move(options), *core_, *store_, *volatile_store_, outbox_, port_);
  }

  // One turn with these frames.
  void turn(Side side, Route route, const wire::Message& message) {
    std::string frame;
    wire::encode(message, frame);
    turn_raw(side, route, frame);
  }
  void turn_raw(Side side, Route route, std::string_view frame) {
    engine_->on_frame(side, route, frame, now_);
    engine_->end_turn(now_);
  }
  void end_turn() { engine_->end_turn(now_); }
  // Carries out what the engine asked of the store.
  void commit() {
    std::unique_ptr<CommitTask> task = port_.take_commit();
    carry_out(*store_, *task);
    engine_->on_committed(std::move(task));
    engine_->end_turn(now_);
  }
  void read() {
    std::unique_ptr<ReadTask> task = port_.take_read();
    carry_out(*store_, *task);
    engine_->on_read(std::move(task), now_);
    engine_->end_turn(now_);
  }
  // Until nothing is open any more.
  void settle() {
    while (port_.has_commit() || port_.reads() > 0) {
      if (port_.has_commit()) commit();
      if (port_.reads() > 0) read();
    }
  }
  void pass(Millis time) {
    now_.steady = now_.steady + time;
    now_.wall = now_.wall + time;
  }

  [[nodiscard]] JobId new_id(std::string_view queue = "default") {
    return make_job_id(now_.wall, slot_of_queue(queue), random_);
  }
  [[nodiscard]] Answer answer(Route route) { return Answer(outbox_.take(route)); }
  [[nodiscard]] std::size_t unread(Route route) const { return outbox_.count(route); }

  // A welcomed client and worker.
  void connect_client(Route route) {
    turn(Side::client, route, {1, wire::Hello{}});
    ROTA_CHECK(answer(route).as<wire::Welcome>() != nullptr);
  }
  [[nodiscard]] static wire::Hello worker_hello(std::string_view name, std::uint32_t slots = 1) {
    wire::Hello hello;
    hello.session = random_uuid();
    hello.connection = 1;
    hello.name = name;
    hello.host = "host";
    hello.boot_id = "boot";
    hello.pid = 100;
    hello.slots = slots;
    hello.credit = slots;
    hello.queues = {{"default", 1}};
    hello.types = {"work"};
    return hello;
  }
  void connect_worker(Route route, std::string_view name = "w1", std::uint32_t slots = 1) {
    turn(Side::worker, route, {1, worker_hello(name, slots)});
    settle();
    ROTA_CHECK(answer(route).as<wire::Welcome>() != nullptr);
  }
  [[nodiscard]] static wire::Message submit(wire::Request request, const std::vector<JobId>& ids,
                                            std::string_view payload = "data", const wire::JobOptions& options = {}) {
    wire::Submit submit;
    wire::SubmitShared& shared = submit.shared.emplace_back();
    shared.queue = "default";
    shared.type = "work";
    shared.options = options;
    for (const JobId& id : ids) {
      wire::SubmitItem& item = submit.items.emplace_back();
      item.id = id;
      item.payload = payload;
    }
    return {request, submit};
  }
  [[nodiscard]] static wire::Message complete(wire::Request request, const wire::Dispatch& dispatch, std::uint32_t credit,
                                              std::string_view result = "done") {
    wire::Complete complete;
    complete.credit = credit;
    for (const wire::DispatchItem& job : dispatch.items) {
      wire::CompleteItem& item = complete.items.emplace_back();
      item.job = {job.id, Token{dispatch.epoch, job.dispatch}};
      item.report.result = result;
      complete.started_through = job.dispatch;
    }
    return {request, complete};
  }

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] store::Store& store() { return *store_; }
  // For another rig, as after a restart; this one is of no use any more.
  [[nodiscard]] std::unique_ptr<store::Store> take_store() {
    engine_.reset();
    return std::move(store_);
  }
  [[nodiscard]] HeldStorePort& port() { return port_; }
  [[nodiscard]] queue::Core& core() { return *core_; }
  [[nodiscard]] RecordingOutbox& outbox() { return outbox_; }
  [[nodiscard]] Now now() const { return now_; }

 private:
  Now now_{Steady{1'000'000}, Wall{1'800'000'000'000}};
  Prng random_{42};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Store> volatile_store_ = store::make_memory({}, 64 * limits::MiB);
  RecordingOutbox outbox_;
  HeldStorePort port_;
  std::unique_ptr<queue::Core> core_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace rota::server
