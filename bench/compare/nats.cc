// NATS JetStream: https://docs.nats.io/reference/reference-protocols/nats-protocol and …/jetstream
//
// A stream with work queue retention and one durable pull consumer. At its best: publishes pipelined, acknowledged through
// one inbox; pulls of a batch each, the next asked for before the last is used up; acks pipelined, the last of each group
// with a reply, so that completions are known to have arrived.

#include "bench/compare/nats.h"

#include <atomic>
#include <charconv>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "bench/compare/failure.h"
#include "bench/compare/payload.h"
#include "bench/compare/stream.h"
#include "bench/compare/submit_order.h"

namespace rota::compare {

namespace {

constexpr std::string_view kSubject = "jobs";
constexpr std::string_view kPull = "$JS.API.CONSUMER.MSG.NEXT.BENCH.workers";

struct Arrival {
  std::string_view subject, reply, body;
};

// The text protocol on one connection.
class NatsConnection {
 public:
  explicit NatsConnection(const Load& load) : stream_(load.address, load.port) {
    stream_.out() = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\nPING\r\n";
    stream_.flush();
    while (stream_.line() != "PONG") {
      if (stream_.stopped()) return;
    }
  }
  void subscribe(std::string_view subject, std::string_view number) {
    stream_.out().append("SUB ").append(subject).append(" ").append(number).append("\r\n");
  }
  void publish(std::string_view subject, std::string_view reply, std::string_view body) {
    stream_.out().append("PUB ").append(subject).append(" ");
    if (!reply.empty()) stream_.out().append(reply).append(" ");
    stream_.out().append(std::to_string(body.size())).append("\r\n").append(body).append("\r\n");
  }

  // The next whole message; its views die with the next receive.
  std::optional<Arrival> next() {
    for (;;) {
      const std::string_view input = stream_.input();
      const std::size_t end = input.find("\r\n");
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view line = input.substr(0, end);
      if (line.starts_with("-ERR")) fail("NATS: " + std::string(line));
      if (!line.starts_with("MSG ") && !line.starts_with("HMSG ")) {
        if (line == "PING") stream_.out().append("PONG\r\n");
        stream_.consume(end + 2);
        continue;
      }
      const std::vector<std::string_view> words = split(line);
      std::size_t size = 0;
      std::from_chars(words.back().data(), words.back().data() + words.back().size(), size);
      if (input.size() < end + 2 + size + 2) return std::nullopt;
      const bool has_head = line.front() == 'H';
      const std::size_t least = has_head ? 5 : 4;
      Arrival arrival{words[1], words.size() > least ? words[3] : std::string_view{}, input.substr(end + 2, size)};
      stream_.consume(end + 2 + size + 2);
      if (has_head) fail("NATS: " + std::string(arrival.body));  // a status: a pull that ended, nobody listening
      return arrival;
    }
  }
  // Asks and waits for the answer; ends the process if that is an error.
  void request(std::string_view subject, std::string_view body) {
    subscribe("_INBOX.setup", "9");
    publish(subject, "_INBOX.setup", body);
    stream_.flush();
    for (;;) {
      if (const std::optional<Arrival> answer = next()) {
        if (answer->body.find("\"error\"") != std::string_view::npos) fail("NATS: " + std::string(answer->body));
        return;
      }
      if (!stream_.receive()) return;
    }
  }
  Stream& stream() { return stream_; }

 private:
  static std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      if (end > at) words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    return words;
  }

  Stream stream_;
};

class NatsProducer : public Producer {
 public:
  NatsProducer(const Load& load, Progress& progress, std::size_t number, int wake_fd)
      : Producer(progress),
        connection_(load),
        inbox_("_INBOX.p" + std::to_string(number)),
        payload_(load.payload),
        wake_fd_(wake_fd) {
    connection_.subscribe(inbox_, "1");
  }

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    for (std::uint64_t job = first; job < first + count; ++job) {
      connection_.publish(kSubject, inbox_, payload_.of(job));
      note_submitted(job, as_of_ns);
    }
    order_.add(first, count);
    connection_.stream().flush();
  }

  void await_answers() override {
    if (!connection_.stream().receive(wake_fd_)) return;
    while (const std::optional<Arrival> answer = connection_.next()) {
      if (answer->body.find("\"seq\"") == std::string_view::npos) fail("NATS: " + std::string(answer->body));
      note_acknowledged(order_.take());
    }
    if (!connection_.stream().out().empty()) connection_.stream().flush();
  }

 private:
  NatsConnection connection_;
  std::string inbox_;
  Payload payload_;
  int wake_fd_;
  SubmitOrder order_;
};

class NatsWorker : public Worker {
 public:
  NatsWorker(const Load& load, Progress& progress, std::size_t number)
      : connection_(load),
        progress_(progress),
        batch_(load.batch),
        jobs_inbox_("_INBOX.w" + std::to_string(number)),
        acks_inbox_("_INBOX.a" + std::to_string(number)) {
    connection_.subscribe(jobs_inbox_, "1");
    connection_.subscribe(acks_inbox_, "2");
    connection_.stream().flush();
  }

  void run() override {
    for (;;) {
      while (batch_ > 1 ? asked_ <= batch_ : asked_ < 1) ask();
      if (!connection_.stream().out().empty()) connection_.stream().flush();
      if (!connection_.stream().receive()) return;
      while (const std::optional<Arrival> arrival = connection_.next()) {
        if (arrival->subject == acks_inbox_) {
          settle();
          continue;
        }
        --asked_;
        const std::uint64_t job = job_of(arrival->body);
        progress_.had(job);
        held_.push_back(job);
        replies_.emplace_back(arrival->reply);
        if (held_.size() >= batch_) acknowledge();
      }
      if (!held_.empty()) acknowledge();
    }
  }
  void stop() override { connection_.stream().stop(); }

 private:
  void ask() {
    connection_.publish(kPull, jobs_inbox_, "{\"batch\":" + std::to_string(batch_) + "}");
    asked_ += batch_;
  }
  void acknowledge() {
    for (std::size_t i = 0; i < replies_.size(); ++i) {
      connection_.publish(replies_[i], i + 1 == replies_.size() ? std::string_view(acks_inbox_) : std::string_view{},
                          "+ACK");
    }
    groups_.push_back(std::move(held_));
    held_ = {};
    replies_.clear();
  }
  // The server has the oldest group.
  void settle() {
    for (const std::uint64_t job : groups_.front()) progress_.completed(job);
    progress_.completed_more(groups_.front().size());
    groups_.pop_front();
  }

  NatsConnection connection_;
  Progress& progress_;
  std::size_t batch_;
  std::string jobs_inbox_, acks_inbox_;
  std::size_t asked_ = 0;  // and not delivered
  std::vector<std::uint64_t> held_;
  std::vector<std::string> replies_;
  std::deque<std::vector<std::uint64_t>> groups_;
};

class Nats : public Peer {
 public:
  explicit Nats(const Load& load) : load_(load) {
    NatsConnection connection(load);
    connection.request(
        "$JS.API.STREAM.CREATE.BENCH",
        std::string("{\"name\":\"BENCH\",\"subjects\":[\"jobs\"],\"retention\":\"workqueue\",\"storage\":\"") +
            (load.durability == "fsync" ? "file" : "memory") + "\",\"num_replicas\":1,\"discard\":\"new\"}");
    connection.request("$JS.API.CONSUMER.DURABLE.CREATE.BENCH.workers",
                       "{\"stream_name\":\"BENCH\",\"config\":{\"durable_name\":\"workers\",\"deliver_policy\":\"all\","
                       "\"ack_policy\":\"explicit\",\"ack_wait\":120000000000,\"max_ack_pending\":200000,"
                       "\"max_waiting\":2000}}");
  }
  std::unique_ptr<Producer> producer(Progress& progress, bool /*told*/, int wake_fd) override {
    return std::make_unique<NatsProducer>(load_, progress, producers_++, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override {
    return std::make_unique<NatsWorker>(load_, progress, workers_++);
  }

 private:
  Load load_;
  std::atomic<std::size_t> producers_{0};
  std::size_t workers_ = 0;
};

}  // namespace

std::unique_ptr<Peer> make_nats(const Load& load) { return std::make_unique<Nats>(load); }

}  // namespace rota::compare
