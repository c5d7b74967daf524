#include <charconv>
#include <string>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/payload.h"
#include "bench/compare/plain_client.h"
#include "bench/compare/stream.h"

namespace rota::compare {

namespace {

class PlainBeanstalkd : public PlainClient {
 public:
  void submit_all(const Load& load, Progress& progress) override {
    Stream stream(load.address, load.port);
    Payload payload(load.payload);
    for (std::uint64_t job = 0; job < load.jobs; ++job) {
      const std::string_view bytes = payload.of(job);
      progress.submitted(job, now_ns());
      stream.out().append("put 0 0 120 ").append(std::to_string(bytes.size())).append("\r\n").append(bytes).append("\r\n");
      stream.flush();
      if (!stream.line().starts_with("INSERTED ")) fail("beanstalkd: put");
      progress.acknowledged(job);
    }
  }

  void serve_all(const Load& load, const std::function<void()>& ready) override {
    Stream stream(load.address, load.port);
    ready();
    for (std::uint64_t done = 0; done < load.jobs; ++done) {
      stream.out().append("reserve\r\n");
      stream.flush();
      const std::string answer(stream.line());  // RESERVED <id> <bytes>
      const std::size_t space = answer.rfind(' ');
      std::size_t size = 0;
      if (!answer.starts_with("RESERVED ") ||
          std::from_chars(answer.data() + space + 1, answer.data() + answer.size(), size).ec != std::errc{}) {
        fail("beanstalkd: reserve");
      }
      while (stream.input().size() < size + 2) stream.receive();
      stream.consume(size + 2);
      stream.out().append("delete ").append(answer, 9, space - 9).append("\r\n");
      stream.flush();
      if (stream.line() != "DELETED") fail("beanstalkd: delete");
    }
  }
};

}  // namespace

std::unique_ptr<PlainClient> make_plain_beanstalkd() { return std::make_unique<PlainBeanstalkd>(); }

}  // namespace rota::compare
