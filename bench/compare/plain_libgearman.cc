#include <libgearman-1.0/gearman.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/payload.h"
#include "bench/compare/plain_client.h"

namespace rota::compare {

namespace {

constexpr const char* kFunction = "bench";

gearman_return_t do_nothing(gearman_job_st* /*job*/, void* /*context*/) { return GEARMAN_SUCCESS; }

class PlainLibgearman : public PlainClient {
 public:
  explicit PlainLibgearman(bool foreground) : foreground_(foreground) {}

  void submit_all(const Load& load, Progress& progress) override {
    const std::unique_ptr<gearman_client_st, decltype(&gearman_client_free)> client(gearman_client_create(nullptr),
                                                                                    gearman_client_free);
    if (gearman_failed(gearman_client_add_server(client.get(), load.address.c_str(), load.port)))
      fail("libgearman: server");
    Payload payload(load.payload);
    for (std::uint64_t job = 0; job < load.jobs; ++job) {
      const std::string_view bytes = payload.of(job);
      progress.submitted(job, now_ns());
      gearman_return_t result = GEARMAN_SUCCESS;
      if (foreground_) {
        std::size_t size = 0;
        std::free(gearman_client_do(client.get(), kFunction, nullptr, bytes.data(), bytes.size(), &size, &result));
      } else {
        std::array<char, GEARMAN_JOB_HANDLE_SIZE> handle{};
        result = gearman_client_do_background(client.get(), kFunction, nullptr, bytes.data(), bytes.size(), handle.data());
      }
      if (gearman_failed(result)) fail(std::string("libgearman: ") + gearman_client_error(client.get()));
      progress.acknowledged(job);
    }
  }

  void serve_all(const Load& load, const std::function<void()>& ready) override {
    const std::unique_ptr<gearman_worker_st, decltype(&gearman_worker_free)> worker(gearman_worker_create(nullptr),
                                                                                    gearman_worker_free);
    if (gearman_failed(gearman_worker_add_server(worker.get(), load.address.c_str(), load.port)))
      fail("libgearman: server");
    const gearman_function_t function = gearman_function_create(do_nothing);
    if (gearman_failed(gearman_worker_define_function(worker.get(), kFunction, 5, function, 0, nullptr))) {
      fail("libgearman: function");
    }
    ready();
    for (std::uint64_t done = 0; done < load.jobs; ++done) {
      if (gearman_failed(gearman_worker_work(worker.get())))
        fail(std::string("libgearman: ") + gearman_worker_error(worker.get()));
    }
  }

 private:
  bool foreground_;
};

}  // namespace

std::unique_ptr<PlainClient> make_plain_libgearman(bool foreground) {
  return std::make_unique<PlainLibgearman>(foreground);
}

}  // namespace rota::compare
