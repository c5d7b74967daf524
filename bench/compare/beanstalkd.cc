// beanstalkd: https://github.com/beanstalkd/beanstalkd/blob/master/doc/protocol.txt
//
// At its best: puts pipelined in one write; reserves too, the first of them waiting and the others not, in one write with
// the deletes of the batch before. Its protocol has no command for several jobs.

#include "bench/compare/beanstalkd.h"

#include <charconv>
#include <deque>
#include <string>
#include <vector>

#include "bench/compare/appetite.h"
#include "bench/compare/failure.h"
#include "bench/compare/payload.h"
#include "bench/compare/stream.h"
#include "bench/compare/submit_order.h"

namespace rota::compare {

namespace {

class BeanstalkProducer : public Producer {
 public:
  BeanstalkProducer(const Load& load, Progress& progress, int wake_fd)
      : Producer(progress), stream_(load.address, load.port), payload_(load.payload), wake_fd_(wake_fd) {}

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    for (std::uint64_t job = first; job < first + count; ++job) {
      const std::string_view body = payload_.of(job);
      // Priority, delay and time to run in seconds.
      stream_.out().append("put 0 0 120 ").append(std::to_string(body.size())).append("\r\n").append(body).append("\r\n");
      note_submitted(job, as_of_ns);
    }
    order_.add(first, count);
    stream_.flush();
  }

  void await_answers() override {
    if (!stream_.receive(wake_fd_)) return;
    for (;;) {
      const std::string_view input = stream_.input();
      const std::size_t end = input.find("\r\n");
      if (end == std::string_view::npos) return;
      if (!input.starts_with("INSERTED ")) fail("beanstalkd: " + std::string(input.substr(0, end)));
      stream_.consume(end + 2);
      note_acknowledged(order_.take());
    }
  }

 private:
  Stream stream_;
  Payload payload_;
  int wake_fd_;
  SubmitOrder order_;
};

class BeanstalkWorker : public Worker {
 public:
  BeanstalkWorker(const Load& load, Progress& progress)
      : stream_(load.address, load.port), progress_(progress), appetite_(load.batch) {}

  void run() override {
    while (turn()) {
    }
  }
  void stop() override { stream_.stop(); }

 private:
  bool turn() {
    const std::size_t done = held_.size();
    for (const std::string& id : ids_) stream_.out().append("delete ").append(id).append("\r\n");
    stream_.out().append("reserve\r\n");
    for (std::size_t i = 1; i < appetite_.ask(); ++i) stream_.out().append("reserve-with-timeout 0\r\n");
    stream_.flush();
    for (std::size_t i = 0; i < done; ++i) {
      const std::string_view answer = stream_.line();
      if (stream_.stopped()) return false;
      if (answer != "DELETED") fail("beanstalkd: delete: " + std::string(answer));
      progress_.completed(held_[i]);
    }
    held_.clear();
    ids_.clear();
    if (done > 0) progress_.completed_more(done);
    for (std::size_t i = appetite_.ask(); i > 0; --i) {
      if (!take()) return false;
    }
    appetite_.got(held_.size());
    return true;
  }

  // RESERVED <id> <bytes>, or TIMED_OUT.
  bool take() {
    const std::string answer(stream_.line());
    if (stream_.stopped()) return false;
    if (answer == "TIMED_OUT") return true;
    const std::size_t space = answer.rfind(' ');
    std::size_t size = 0;
    if (!answer.starts_with("RESERVED ") || space <= 9 ||
        std::from_chars(answer.data() + space + 1, answer.data() + answer.size(), size).ec != std::errc{}) {
      fail("beanstalkd: reserve: " + answer);
    }
    while (stream_.input().size() < size + 2) {
      if (!stream_.receive()) return false;
    }
    ids_.emplace_back(answer.substr(9, space - 9));
    held_.push_back(job_of(stream_.input().substr(0, size)));
    progress_.had(held_.back());
    stream_.consume(size + 2);
    return true;
  }

  Stream stream_;
  Progress& progress_;
  Appetite appetite_;
  std::vector<std::string> ids_;
  std::vector<std::uint64_t> held_;
};

class Beanstalkd : public Peer {
 public:
  explicit Beanstalkd(const Load& load) : load_(load) {}
  std::unique_ptr<Producer> producer(Progress& progress, bool /*told*/, int wake_fd) override {
    return std::make_unique<BeanstalkProducer>(load_, progress, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override { return std::make_unique<BeanstalkWorker>(load_, progress); }

 private:
  Load load_;
};

}  // namespace

std::unique_ptr<Peer> make_beanstalkd(const Load& load) { return std::make_unique<Beanstalkd>(load); }

}  // namespace rota::compare
