#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "client/cli/job_source.h"
#include "common/base/check.h"
#include "common/base/limits.h"

namespace {

using rota::cli::JobSource;

// What `rota submit --each-line` has to make of a text: its lines, up to the first that no job can take.
class Expected {
 public:
  explicit Expected(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  std::string_view next() {
    const std::size_t newline = rest_.find('\n');
    const std::string_view line = rest_.substr(0, newline);
    rest_.remove_prefix(newline == std::string_view::npos ? rest_.size() : newline + 1);
    return line;
  }
  static bool good(std::string_view line) {
    return line.size() <= rota::limits::kMaxLine && line.find('\0') == std::string_view::npos;
  }

 private:
  std::string_view rest_;
};

// Takes what is there. False: nothing follows, because of the end or a line that was refused.
bool take(JobSource& source, Expected& expected) {
  for (;;) {
    rota::client::JobItem item;
    const auto next = source.next(item);
    if (!next) {
      ROTA_CHECK(!next.error().message.empty() && !Expected::good(expected.next()));
      return false;
    }
    if (*next == JobSource::Next::not_yet) return true;
    if (*next == JobSource::Next::end) {
      ROTA_CHECK(expected.at_end());
      return false;
    }
    ROTA_CHECK(!expected.at_end() && item.line);
    const std::string_view line = expected.next();
    ROTA_CHECK(Expected::good(line) && *item.line == line);
  }
}

}  // namespace

// The lines of `rota submit --each-line`, through a pipe in pieces whose size the first byte says.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPipe = 64 * 1024;  // what a pipe takes without a reader
  if (size == 0) return 0;
  const std::size_t piece = data[0] == 0 ? kPipe : data[0];
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Expected expected(text);

  int ends[2];
  ROTA_CHECK(::pipe(ends) == 0);
  rota::cli::SubmitOptions options;
  options.each_line = "/proc/self/fd/" + std::to_string(ends[0]);
  auto source = rota::cli::make_job_source(options);
  ROTA_CHECK(source.ok());
  bool more = true;
  while (more && !text.empty()) {
    const std::size_t length = std::min(piece, text.size());
    ROTA_CHECK(::write(ends[1], text.data(), length) == static_cast<ssize_t>(length));
    text.remove_prefix(length);
    more = take(**source, expected);
  }
  ::close(ends[1]);
  if (more) ROTA_CHECK(!take(**source, expected));
  ::close(ends[0]);
  return 0;
}
