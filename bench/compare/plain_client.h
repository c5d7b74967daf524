#pragma once

#include <functional>
#include <memory>

#include "bench/compare/progress.h"

namespace rota::compare {

// The client that most people use with a server, used as in its first example: each call does one job. Fails on any error.
class PlainClient {
 public:
  virtual ~PlainClient() = default;
  // Submits all jobs of the load; tells Progress::submitted().
  virtual void submit_all(const Load& load, Progress& progress) = 0;
  // Handles that many jobs, each by a handler that does nothing. Calls `ready` once it could be given one. In a thread of
  // its own, beside submit_all().
  virtual void serve_all(const Load& load, const std::function<void()>& ready) = 0;
};

[[nodiscard]] std::unique_ptr<PlainClient> make_plain_hiredis();
[[nodiscard]] std::unique_ptr<PlainClient> make_plain_libgearman(bool foreground);
[[nodiscard]] std::unique_ptr<PlainClient> make_plain_libnats(const Load& load);
[[nodiscard]] std::unique_ptr<PlainClient> make_plain_librabbitmq(const Load& load);
// Debian has no library for C: the protocol, a command at a time.
[[nodiscard]] std::unique_ptr<PlainClient> make_plain_beanstalkd();
// `gathered`: a plain loop of submit_async() and one flush(), otherwise of submit().
[[nodiscard]] std::unique_ptr<PlainClient> make_plain_rota(bool gathered);

}  // namespace rota::compare
