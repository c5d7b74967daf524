#include <hiredis/hiredis.h>

#include <string_view>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/payload.h"
#include "bench/compare/plain_client.h"

namespace rota::compare {

namespace {

using Connection = std::unique_ptr<redisContext, decltype(&redisFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

Connection connect(const Load& load) {
  Connection connection(redisConnect(load.address.c_str(), load.port), redisFree);
  if (connection == nullptr || connection->err != 0) fail("hiredis: cannot connect");
  return connection;
}

Reply checked(void* reply) {
  Reply owned(static_cast<redisReply*>(reply), freeReplyObject);
  if (owned == nullptr || owned->type == REDIS_REPLY_ERROR) fail("hiredis: a command failed");
  return owned;
}

class PlainHiredis : public PlainClient {
 public:
  void submit_all(const Load& load, Progress& progress) override {
    const Connection connection = connect(load);
    Payload payload(load.payload);
    for (std::uint64_t job = 0; job < load.jobs; ++job) {
      const std::string_view bytes = payload.of(job);
      progress.submitted(job, now_ns());
      checked(redisCommand(connection.get(), "LPUSH queue %b", bytes.data(), bytes.size()));
      progress.acknowledged(job);
    }
  }
  void serve_all(const Load& load, const std::function<void()>& ready) override {
    const Connection connection = connect(load);
    ready();
    for (std::uint64_t done = 0; done < load.jobs; ++done) {
      const Reply job = checked(redisCommand(connection.get(), "BRPOPLPUSH queue mine 0"));
      checked(redisCommand(connection.get(), "LREM mine 1 %b", job->str, job->len));
    }
  }
};

}  // namespace

std::unique_ptr<PlainClient> make_plain_hiredis() { return std::make_unique<PlainHiredis>(); }

}  // namespace rota::compare
