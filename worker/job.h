#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/wire/message.h"
#include "worker/outcome.h"

namespace rota::worker {

// What a handler is given. All views live until it returns.
struct Job {
  JobId id;
  std::string_view queue, type, name;
  std::uint32_t attempt = 1;  // runs that were started, this one included
  std::span<const wire::Pair> headers;
  std::string_view payload;
  std::optional<std::int64_t> index;     // of a job array
  std::optional<std::string_view> line;  // of a job per line
};

// A handler's view of the worker while its job runs. Used from the handler's thread only.
class Context {
 public:
  virtual ~Context() = default;
  // The job was cancelled, ran past its time limit, or must not go on: end soon. After limits::kStopGrace past a time limit
  // the job is reported TIMED_OUT without its handler. Cheap enough for every turn of a loop.
  [[nodiscard]] virtual bool stop_requested() const = 0;
  // Shown by `rota status`; passed on about once a second. `fraction` 0 … 1.
  virtual void progress(double fraction, std::string_view message) = 0;
};

// Runs one job; called from several threads at once. An exception it throws is a failure with code EXCEPTION.
using Handler = std::function<Outcome(const Job& job, Context& context)>;

}  // namespace rota::worker
