#include "client/cli/text_style.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace rota::cli {

namespace {

constexpr std::size_t kDefaultColumns = 80;  // of a terminal that does not tell

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::size_t columns_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
  return size.ws_col;
}

}  // namespace

TextStyle text_style(int fd) {
  TextStyle style;
  if (::isatty(fd) != 1) return style;
  style.columns = columns_of(fd);
  style.colour = variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  style.now = read_clocks().wall;
  return style;
}

bool can_redraw(int fd) { return ::isatty(fd) == 1 && variable("TERM") != "dumb"; }

}  // namespace rota::cli
