// A stream with a consumer group. At its best: a batch's XADDs in one pipelined write; XREADGROUP with COUNT; XACK and XDEL
// with all ids of a batch, in one write with the next XREADGROUP.

#include <charconv>

#include "bench/compare/payload.h"
#include "bench/compare/redis.h"
#include "bench/compare/resp.h"
#include "bench/compare/submit_order.h"

namespace rota::compare {

namespace {

constexpr std::string_view kStream = "stream";
constexpr std::string_view kGroup = "workers";

class StreamProducer : public Producer {
 public:
  StreamProducer(const Load& load, Progress& progress, int wake_fd)
      : Producer(progress), stream_(load.address, load.port), resp_(stream_), payload_(load.payload), wake_fd_(wake_fd) {}

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    for (std::uint64_t job = first; job < first + count; ++job) {
      resp_.command(5);
      resp_.word("XADD");
      resp_.word(kStream);
      resp_.word("*");
      resp_.word("p");
      resp_.word(payload_.of(job));
      note_submitted(job, as_of_ns);
    }
    order_.add(first, count);
    stream_.flush();
  }

  void await_answers() override {
    if (!stream_.receive(wake_fd_)) return;
    while (resp_.next()) note_acknowledged(order_.take());
  }

 private:
  Stream stream_;
  Resp resp_;
  Payload payload_;
  int wake_fd_;
  SubmitOrder order_;
};

class StreamWorker : public Worker {
 public:
  StreamWorker(const Load& load, Progress& progress, std::size_t number)
      : stream_(load.address, load.port),
        resp_(stream_),
        progress_(progress),
        batch_(load.batch),
        name_("worker:" + std::to_string(number)) {}

  void run() override {
    while (turn()) {
    }
  }
  void stop() override { stream_.stop(); }

 private:
  bool turn() {
    const std::size_t done = held_.size();
    if (done > 0) settle();
    resp_.command(11);
    for (const std::string_view text : {std::string_view("XREADGROUP"), std::string_view("GROUP"), kGroup,
                                        std::string_view(name_), std::string_view("COUNT")}) {
      resp_.word(text);
    }
    resp_.word(batch_);
    for (const std::string_view text :
         {std::string_view("BLOCK"), std::string_view("0"), std::string_view("STREAMS"), kStream, std::string_view(">")}) {
      resp_.word(text);
    }
    stream_.flush();
    if (done > 0) {
      if (!resp_.await() || !resp_.await()) return false;
      for (const std::uint64_t job : held_) progress_.completed(job);
      progress_.completed_more(done);
      held_.clear();
      ids_.clear();
    }
    if (!resp_.await()) return false;
    take(resp_.tokens());
    return true;
  }

  void settle() {
    resp_.command(3 + ids_.size());
    resp_.word("XACK");
    resp_.word(kStream);
    resp_.word(kGroup);
    for (const std::string& id : ids_) resp_.word(id);
    resp_.command(2 + ids_.size());
    resp_.word("XDEL");
    resp_.word(kStream);
    for (const std::string& id : ids_) resp_.word(id);
  }

  // One stream: array of [name, array of [id, array of [field, value]]].
  void take(const std::vector<Resp::Token>& tokens) {
    constexpr std::size_t kBefore = 4;  // outer array, pair, name, array of entries
    constexpr std::size_t kEntry = 5;   // pair, id, array, field, value
    for (std::size_t i = kBefore; i + kEntry <= tokens.size(); i += kEntry) {
      ids_.emplace_back(tokens[i + 1].text);
      held_.push_back(job_of(tokens[i + 4].text));
      progress_.had(held_.back());
    }
  }

  Stream stream_;
  Resp resp_;
  Progress& progress_;
  std::size_t batch_;
  std::string name_;
  std::vector<std::string> ids_;
  std::vector<std::uint64_t> held_;
};

class RedisStream : public Peer {
 public:
  explicit RedisStream(const Load& load) : load_(load) {
    Stream stream(load.address, load.port);
    Resp resp(stream);
    resp.command(6);
    for (const std::string_view text : {std::string_view("XGROUP"), std::string_view("CREATE"), kStream, kGroup,
                                        std::string_view("0"), std::string_view("MKSTREAM")}) {
      resp.word(text);
    }
    stream.flush();
    [[maybe_unused]] const bool made = resp.await();
  }
  std::unique_ptr<Producer> producer(Progress& progress, bool /*told*/, int wake_fd) override {
    return std::make_unique<StreamProducer>(load_, progress, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override {
    return std::make_unique<StreamWorker>(load_, progress, workers_++);
  }

 private:
  Load load_;
  std::size_t workers_ = 0;
};

}  // namespace

std::unique_ptr<Peer> make_redis_stream(const Load& load) { return std::make_unique<RedisStream>(load); }

}  // namespace rota::compare
