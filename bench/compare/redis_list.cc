// A reliable queue as Redis' documents advise (LMOVE, "Pattern: Reliable queue"): the producer pushes to a list, a worker
// moves jobs to a list of its own and takes them off there when they are done.
//
// At its best: one RPUSH with all jobs of a batch; LMOVEs in one pipelined write, together with the LPOP that removes the
// batch before. `redis-script` moves a whole batch by one Lua script instead.

#include "bench/compare/appetite.h"
#include "bench/compare/payload.h"
#include "bench/compare/redis.h"
#include "bench/compare/resp.h"
#include "bench/compare/submit_order.h"

namespace rota::compare {

namespace {

constexpr std::string_view kQueue = "queue";

// Moves at most ARGV[1] jobs of KEYS[1] to KEYS[2]; the jobs.
constexpr std::string_view kMoveScript =
    "local jobs = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1) "
    "if #jobs > 0 then redis.call('RPUSH', KEYS[2], unpack(jobs)) redis.call('LTRIM', KEYS[1], #jobs, -1) end "
    "return jobs";

class ListProducer : public Producer {
 public:
  ListProducer(const Load& load, Progress& progress, int wake_fd)
      : Producer(progress), stream_(load.address, load.port), resp_(stream_), payload_(load.payload), wake_fd_(wake_fd) {}

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    resp_.command(2 + count);
    resp_.word("RPUSH");
    resp_.word(kQueue);
    for (std::uint64_t job = first; job < first + count; ++job) {
      resp_.word(payload_.of(job));
      note_submitted(job, as_of_ns);
    }
    order_.add(first, count);
    counts_.push_back(count);
    stream_.flush();
  }

  void await_answers() override {
    if (!stream_.receive(wake_fd_)) return;
    while (resp_.next()) {
      for (std::size_t left = counts_.front(); left > 0; --left) note_acknowledged(order_.take());
      counts_.pop_front();
    }
  }

 private:
  Stream stream_;
  Resp resp_;
  Payload payload_;
  int wake_fd_;
  SubmitOrder order_;
  std::deque<std::size_t> counts_;  // jobs of each unanswered push
};

class ListWorker : public Worker {
 public:
  ListWorker(const Load& load, Progress& progress, std::size_t number, bool by_script)
      : stream_(load.address, load.port),
        resp_(stream_),
        progress_(progress),
        appetite_(load.batch),
        mine_("mine:" + std::to_string(number)) {
    if (!by_script) return;
    resp_.command(3);
    resp_.word("SCRIPT");
    resp_.word("LOAD");
    resp_.word(kMoveScript);
    stream_.flush();
    if (resp_.await()) script_ = resp_.tokens().front().text;
  }

  void run() override {
    while (turn()) {
    }
  }
  void stop() override { stream_.stop(); }

 private:
  // Removes the batch that is done, takes the next.
  bool turn() {
    const std::size_t done = held_.size();
    if (done > 0) {
      resp_.command(3);
      resp_.word("LPOP");
      resp_.word(mine_);
      resp_.word(done);
    }
    const std::size_t replies = ask();
    stream_.flush();
    if (done > 0) {
      if (!resp_.await()) return false;
      for (const std::uint64_t job : held_) progress_.completed(job);
      held_.clear();
      progress_.completed_more(done);
    }
    for (std::size_t i = 0; i < replies; ++i) {
      if (!resp_.await()) return false;
      for (const Resp::Token& token : resp_.tokens()) {
        if (token.kind != Resp::Token::Kind::text) continue;
        const std::uint64_t job = job_of(token.text);
        progress_.had(job);
        held_.push_back(job);
      }
    }
    appetite_.got(held_.size());
    return true;
  }

  // Commands that take jobs; how many replies they will have. The first waits in the server while there is none.
  std::size_t ask() {
    const std::size_t more = appetite_.ask() - 1;
    move("BLMOVE");
    resp_.word("0");
    if (more == 0) return 1;
    if (script_.empty()) {
      for (std::size_t i = 0; i < more; ++i) move("LMOVE");
      return 1 + more;
    }
    resp_.command(6);
    for (const std::string_view text :
         {std::string_view("EVALSHA"), std::string_view(script_), std::string_view("2"), kQueue, std::string_view(mine_)}) {
      resp_.word(text);
    }
    resp_.word(more);
    return 2;
  }

  void move(std::string_view command) {
    resp_.command(command == "BLMOVE" ? 6 : 5);
    for (const std::string_view text :
         {command, kQueue, std::string_view(mine_), std::string_view("LEFT"), std::string_view("RIGHT")}) {
      resp_.word(text);
    }
  }

  Stream stream_;
  Resp resp_;
  Progress& progress_;
  Appetite appetite_;
  std::string mine_;
  std::string script_;
  std::vector<std::uint64_t> held_;
};

class RedisList : public Peer {
 public:
  RedisList(const Load& load, bool by_script) : load_(load), by_script_(by_script) {}
  std::unique_ptr<Producer> producer(Progress& progress, bool /*told*/, int wake_fd) override {
    return std::make_unique<ListProducer>(load_, progress, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override {
    return std::make_unique<ListWorker>(load_, progress, workers_++, by_script_);
  }

 private:
  Load load_;
  bool by_script_;
  std::size_t workers_ = 0;
};

}  // namespace

std::unique_ptr<Peer> make_redis_list(const Load& load, bool by_script) {
  return std::make_unique<RedisList>(load, by_script);
}

}  // namespace rota::compare
