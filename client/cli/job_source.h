#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/cli/submit_options.h"
#include "client/job_request.h"

namespace rota::cli {

// The jobs of one `rota submit`, one after the other and never all in memory.
class JobSource {
 public:
  virtual ~JobSource() = default;
  enum class Next : std::uint8_t {
    job,      // `item` is set; its views live until the next call
    not_yet,  // nothing to read at the moment: ask again
    end,
  };
  // Errors: the file cannot be read, or a line is too long.
  [[nodiscard]] virtual Result<Next> next(client::JobItem& item) = 0;
};

// BAD_MESSAGE: the file cannot be opened. `options` must outlive the source.
[[nodiscard]] Result<std::unique_ptr<JobSource>> make_job_source(const SubmitOptions& options);

}  // namespace rota::cli
