// Rota through its client and worker libraries. Batch and window of the client are those of the row; prefetch of the worker
// is the library's own, bounded by what is in flight.

#include "bench/compare/rota_peer.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>

#include "bench/compare/failure.h"
#include "bench/compare/payload.h"
#include "client/client.h"
#include "common/net/socket.h"
#include "worker/worker.h"

namespace rota::compare {

namespace {

constexpr const char* kType = "bench.noop";
constexpr std::size_t kClientsOfContext = 2000;  // a client has several sockets, a context 16,384 at most
constexpr int kMostPriority = 127;
constexpr int kMostDelayMs = 2000;
constexpr Millis kTimeout = std::chrono::minutes{2};

client::JobTemplate job_template(const Load& load) {
  client::JobTemplate shared;
  shared.type = kType;
  shared.options.durability = load.durability == "fsync" ? Durability::fsync : Durability::memory;
  if (load.keep_ms >= 0) shared.options.keep = Millis{load.keep_ms};
  return shared;
}

client::Client connect(const Load& load, net::Context& context, int wake_fd) {
  client::ClientOptions options;
  options.endpoint = load.address;
  options.timeout = kTimeout;
  options.batch = load.batch;
  options.window = load.unacknowledged > 0 ? load.unacknowledged : load.window;
  options.wake_fd = wake_fd;
  options.context = &context;
  Result<client::Client> client = client::Client::connect(std::move(options));
  if (!client) fail("Rota: " + client.error().message);
  return std::move(*client);
}

class RotaProducer : public Producer {
 public:
  RotaProducer(const Load& load, net::Context& context, Progress& progress, bool told, int wake_fd)
      : Producer(progress),
        client_(connect(load, context, wake_fd)),
        shared_(job_template(load)),
        payload_(load.payload),
        told_(told),
        scattered_(load.scattered) {
    client_.on_submitted([this](const client::SubmitResult& result) {
      if (result.code != Code::ok) fail("Rota: submit: " + std::string(result.message));
      note_acknowledged(jobs_[result.ticket]);
      ++answers_;
    });
    client_.on_final([this](const client::FinishedJob& job) {
      if (!job.succeeded()) fail("Rota: a job failed: " + std::string(job.error_message) + std::string(job.message));
      std::uint32_t number = 0;
      std::memcpy(&number, job.id.bytes.data() + 12, sizeof number);
      note_known(number);
      ++answers_;
    });
  }

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    for (std::uint64_t job = first; job < first + count; ++job) {
      if (scattered_) scatter();
      client::JobItem item;
      item.id = numbered_id(static_cast<std::uint32_t>(job));
      item.payload = payload_.of(job);
      note_submitted(job, as_of_ns);
      jobs_.push_back(job);  // before the call: it may report tickets of earlier ones
      const Result<client::Ticket> ticket = client_.submit_async(shared_, item, told_);
      if (!ticket) fail("Rota: submit: " + ticket.error().message);
    }
    poll(Millis{0});  // the batch leaves
  }

  void await_answers() override {
    const std::uint64_t before = answers_;
    if (!poll(Millis{-1})) return;
    while (answers_ == before) {
      if (!poll(Millis{-1})) return;
    }
  }

 private:
  // False: the wake descriptor ended it.
  bool poll(Millis most) {
    const Result<std::size_t> handled = client_.poll(most);
    if (!handled && handled.error().code == Code::cancelled) return false;
    if (!handled) fail("Rota: " + handled.error().message);
    return true;
  }
  // The last four bytes tell which job of the run it is.
  JobId numbered_id(std::uint32_t job) {
    JobId id = client_.make_id(shared_.queue);
    std::memcpy(id.bytes.data() + 12, &job, sizeof job);
    return id;
  }
  void scatter() {
    shared_.options.priority = static_cast<std::int8_t>(random_() % (2 * kMostPriority + 1)) - kMostPriority;
    shared_.options.delay = Millis{static_cast<std::int64_t>(random_() % kMostDelayMs)};
  }

  client::Client client_;
  client::JobTemplate shared_;
  Payload payload_;
  bool told_;
  bool scattered_;
  std::vector<std::uint64_t> jobs_;  // by ticket
  std::uint64_t answers_ = 0;
  std::mt19937 random_{1};
};

// Ends the workers when the last job of the run has been handled: a worker leaves when all it did is acknowledged.
class Finish {
 public:
  explicit Finish(std::uint64_t jobs) : jobs_(jobs) {}
  void add(worker::Worker& worker) {
    const std::scoped_lock lock(mutex_);
    workers_.push_back(&worker);
  }
  void handled() {
    if (handled_.fetch_add(1, std::memory_order_relaxed) + 1 != jobs_) return;
    const std::scoped_lock lock(mutex_);
    for (worker::Worker* worker : workers_) worker->drain();
  }

 private:
  const std::uint64_t jobs_;
  std::atomic<std::uint64_t> handled_{0};
  std::mutex mutex_;
  std::vector<worker::Worker*> workers_;
};

class RotaWorker : public Worker {
 public:
  RotaWorker(const Load& load, Progress& progress, Finish& finish) : progress_(progress), finish_(finish) {
    worker::WorkerOptions options;
    options.brokers = {load.workers_endpoint};
    options.queues = {{std::string(kDefaultQueue), 1}};
    options.observer.trouble = [](const std::string&, const std::string& what) { fail("Rota: worker: " + what); };
    options.observer.registered = [this](const std::string&) {
      ready_.store(true);
      ready_.notify_all();
    };
    worker_ = std::make_unique<worker::Worker>(std::move(options));
    worker_->handle(kType, [this](const worker::Job& job, worker::Context&) {
      const std::uint64_t number = job_of(job.payload);
      progress_.had(number);
      ++handled_;
      finish_.handled();
      return worker::Outcome::success();
    });
    finish_.add(*worker_);
  }
  void await_ready() override { ready_.wait(false); }

  void run() override {
    const Result<worker::Ending> ended = worker_->run();
    if (!ended) fail("Rota: worker: " + ended.error().message);
    if (ended->kind != worker::Ending::Kind::drained) fail("Rota: worker: " + ended->message);
    progress_.completed_more(handled_);
  }
  void stop() override { worker_->drain(); }

 private:
  Progress& progress_;
  Finish& finish_;
  std::atomic<bool> ready_{false};
  std::unique_ptr<worker::Worker> worker_;
  std::uint64_t handled_ = 0;  // one slot: one thread at a time
};

class RotaPeer : public Peer {
 public:
  explicit RotaPeer(const Load& load) : load_(load), finish_(load.jobs) {}
  bool tells_the_end() const override { return true; }
  std::unique_ptr<Producer> producer(Progress& progress, bool told, int wake_fd) override {
    return std::make_unique<RotaProducer>(load_, next_context(), progress, told, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override {
    return std::make_unique<RotaWorker>(load_, progress, finish_);
  }

 private:
  // One for all clients, as a process has it, as far as its sockets reach.
  net::Context& next_context() {
    const std::scoped_lock lock(mutex_);
    if (clients_++ % kClientsOfContext == 0) contexts_.push_back(std::make_unique<net::Context>());
    return *contexts_.back();
  }

  Load load_;
  std::mutex mutex_;
  std::size_t clients_ = 0;
  std::vector<std::unique_ptr<net::Context>> contexts_;
  Finish finish_;
};

}  // namespace

std::unique_ptr<Peer> make_rota(const Load& load) { return std::make_unique<RotaPeer>(load); }

}  // namespace rota::compare
