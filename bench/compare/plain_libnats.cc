#include <nats/nats.h>

#include <string_view>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/payload.h"
#include "bench/compare/plain_client.h"

namespace rota::compare {

namespace {

void check(natsStatus status, const char* what) {
  if (status != NATS_OK) fail(std::string("libnats: ") + what + ": " + natsStatus_GetText(status));
}

// A connection with its JetStream context.
class Connected {
 public:
  explicit Connected(const Load& load) {
    const std::string url = "nats://" + load.address + ":" + std::to_string(load.port);
    check(natsConnection_ConnectTo(&connection_, url.c_str()), "connect");
    check(natsConnection_JetStream(&stream_, connection_, nullptr), "context");
  }
  ~Connected() {
    jsCtx_Destroy(stream_);
    natsConnection_Destroy(connection_);
  }
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;
  [[nodiscard]] jsCtx* stream() const { return stream_; }

 private:
  natsConnection* connection_ = nullptr;
  jsCtx* stream_ = nullptr;
};

class PlainLibnats : public PlainClient {
 public:
  explicit PlainLibnats(const Load& load) {
    const Connected to(load);
    const char* subject = "jobs";
    jsStreamConfig config;
    check(jsStreamConfig_Init(&config), "config");
    config.Name = "BENCH";
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Retention = js_WorkQueuePolicy;
    check(js_AddStream(nullptr, to.stream(), &config, nullptr, nullptr), "add stream");
  }

  void submit_all(const Load& load, Progress& progress) override {
    const Connected to(load);
    Payload payload(load.payload);
    for (std::uint64_t job = 0; job < load.jobs; ++job) {
      const std::string_view bytes = payload.of(job);
      progress.submitted(job, now_ns());
      check(js_Publish(nullptr, to.stream(), "jobs", bytes.data(), static_cast<int>(bytes.size()), nullptr, nullptr),
            "publish");
      progress.acknowledged(job);
    }
  }

  void serve_all(const Load& load, const std::function<void()>& ready) override {
    constexpr std::int64_t kPatienceMs = 60'000;
    const Connected to(load);
    natsSubscription* subscription = nullptr;
    check(js_SubscribeSync(&subscription, to.stream(), "jobs", nullptr, nullptr, nullptr), "subscribe");
    ready();
    for (std::uint64_t done = 0; done < load.jobs; ++done) {
      natsMsg* message = nullptr;
      check(natsSubscription_NextMsg(&message, subscription, kPatienceMs), "next message");
      check(natsMsg_Ack(message, nullptr), "ack");
      natsMsg_Destroy(message);
    }
    natsSubscription_Destroy(subscription);
  }
};

}  // namespace

std::unique_ptr<PlainClient> make_plain_libnats(const Load& load) { return std::make_unique<PlainLibnats>(load); }

}  // namespace rota::compare
