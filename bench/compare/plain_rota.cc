#include <atomic>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/payload.h"
#include "bench/compare/plain_client.h"
#include "client/client.h"
#include "worker/worker.h"

namespace rota::compare {

namespace {

constexpr const char* kType = "bench.noop";

class PlainRota : public PlainClient {
 public:
  explicit PlainRota(bool gathered) : gathered_(gathered) {}

  void submit_all(const Load& load, Progress& progress) override {
    client::ClientOptions options;
    options.endpoint = load.address;
    Result<client::Client> client = client::Client::connect(options);
    if (!client) fail("Rota: " + client.error().message);
    client->on_submitted([&progress](const client::SubmitResult& result) {
      if (result.code != Code::ok) fail("Rota: submit: " + std::string(result.message));
      progress.acknowledged(result.ticket);
    });
    Payload payload(load.payload);
    client::JobRequest job;
    job.shared.type = kType;
    for (std::uint64_t number = 0; number < load.jobs; ++number) {
      job.payload = payload.of(number);
      progress.submitted(number, now_ns());
      if (gathered_) {
        if (const Result<client::Ticket> ticket = client->submit_async(job); !ticket)
          fail("Rota: " + ticket.error().message);
      } else {
        if (const Result<client::Submission> done = client->submit(job); !done) fail("Rota: " + done.error().message);
        progress.acknowledged(number);
      }
    }
    if (!gathered_) return;
    if (const Result<client::Client::Flushed> flushed = client->flush(); !flushed) fail("Rota: " + flushed.error().message);
  }

  void serve_all(const Load& load, const std::function<void()>& ready) override {
    worker::WorkerOptions options;
    options.brokers = {load.workers_endpoint};
    options.queues = {{std::string(kDefaultQueue), 1}};
    options.observer.registered = [&ready](const std::string&) { ready(); };
    worker::Worker worker(std::move(options));
    std::atomic<std::uint64_t> handled{0};
    worker.handle(kType, [&](const worker::Job&, worker::Context&) {
      if (handled.fetch_add(1) + 1 == load.jobs) worker.drain();
      return worker::Outcome::success();
    });
    const Result<worker::Ending> ended = worker.run();  // returns when the last completion is acknowledged
    if (!ended) fail("Rota: worker: " + ended.error().message);
  }

 private:
  bool gathered_;
};

}  // namespace

std::unique_ptr<PlainClient> make_plain_rota(bool gathered) { return std::make_unique<PlainRota>(gathered); }

}  // namespace rota::compare
