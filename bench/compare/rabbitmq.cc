// RabbitMQ over AMQP 0-9-1. At its best: publishes pipelined, confirmed for several at once; deliveries pushed with a
// prefetch of two batches; a whole batch acknowledged by one Basic.Ack, which the server does not answer.

#include "bench/compare/rabbitmq.h"

#include <algorithm>
#include <string>
#include <vector>

#include "bench/compare/amqp.h"
#include "bench/compare/failure.h"
#include "bench/compare/payload.h"
#include "bench/compare/submit_order.h"

namespace rota::compare {

namespace {

constexpr std::string_view kQueue = "jobs";
constexpr std::size_t kMostPrefetch = 65'535;
constexpr std::uint8_t kBodyFrame = 3;

class RabbitProducer : public Producer {
 public:
  RabbitProducer(const Load& load, Progress& progress, bool persistent, int wake_fd)
      : Producer(progress), amqp_(load), payload_(load.payload), persistent_(persistent), wake_fd_(wake_fd) {
    amqp_.select_confirms();
  }

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    for (std::uint64_t job = first; job < first + count; ++job) {
      amqp_.publish(kQueue, payload_.of(job), persistent_);
      jobs_.push_back(job);
      note_submitted(job, as_of_ns);
    }
    amqp_.stream().flush();
  }

  // Confirms name a publish by its number on the channel, from 1, or all up to it; they may come out of order.
  void await_answers() override {
    if (!amqp_.stream().receive(wake_fd_)) return;
    while (const std::optional<Amqp::Frame> frame = amqp_.next()) {
      if (frame->method == Amqp::kNack) fail("RabbitMQ refused a message");
      if (frame->method != Amqp::kAck) continue;
      const std::uint64_t tag = amqp_number(frame->body, 8);
      const bool multiple = frame->body.size() > 8 && frame->body[8] != 0;
      confirmed_.resize(jobs_.size());
      for (std::uint64_t i = multiple ? confirmed_through_ : tag - 1; i < tag; ++i) {
        if (confirmed_[i]) continue;
        confirmed_[i] = true;
        note_acknowledged(jobs_[i]);
      }
      if (multiple) confirmed_through_ = std::max(confirmed_through_, tag);
    }
  }

 private:
  Amqp amqp_;
  Payload payload_;
  bool persistent_;
  int wake_fd_;
  std::vector<std::uint64_t> jobs_;  // by number of the publish
  std::vector<bool> confirmed_;
  std::uint64_t confirmed_through_ = 0;
};

class RabbitWorker : public Worker {
 public:
  RabbitWorker(const Load& load, Progress& progress) : amqp_(load), progress_(progress), batch_(load.batch) {
    amqp_.consume(kQueue, static_cast<std::uint16_t>(batch_ == 1 ? 1 : std::min(2 * batch_, kMostPrefetch)));
  }

  void run() override {
    for (;;) {
      while (const std::optional<Amqp::Frame> frame = amqp_.next()) {
        if (frame->type == kBodyFrame) {
          held_.push_back(job_of(frame->body));
          progress_.had(held_.back());
          if (held_.size() >= batch_) acknowledge();
        } else if (frame->method == Amqp::kDeliver) {
          const std::size_t consumer_tag = amqp_number(frame->body, 1);
          tag_ = amqp_number(frame->body.substr(1 + consumer_tag), 8);
        }
      }
      if (!held_.empty()) acknowledge();
      if (!amqp_.stream().receive()) return;
    }
  }
  void stop() override { amqp_.stream().stop(); }

 private:
  void acknowledge() {
    amqp_.acknowledge(tag_, true);
    amqp_.stream().flush();
    for (const std::uint64_t job : held_) progress_.completed(job);
    progress_.completed_more(held_.size());
    held_.clear();
  }

  Amqp amqp_;
  Progress& progress_;
  std::size_t batch_;
  std::uint64_t tag_ = 0;  // of the last delivery
  std::vector<std::uint64_t> held_;
};

class RabbitMq : public Peer {
 public:
  RabbitMq(const Load& load, bool quorum) : load_(load), persistent_(quorum || load.durability == "fsync") {
    Amqp amqp(load);
    amqp.declare_queue(kQueue, persistent_, quorum);
  }
  std::unique_ptr<Producer> producer(Progress& progress, bool /*told*/, int wake_fd) override {
    return std::make_unique<RabbitProducer>(load_, progress, persistent_, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override { return std::make_unique<RabbitWorker>(load_, progress); }

 private:
  Load load_;
  bool persistent_;
};

}  // namespace

std::unique_ptr<Peer> make_rabbitmq(const Load& load, bool quorum) { return std::make_unique<RabbitMq>(load, quorum); }

}  // namespace rota::compare
