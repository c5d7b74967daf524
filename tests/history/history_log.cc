#include "tests/history/history_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "common/base/check.h"

namespace rota::history {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

std::int64_t monotonic_ns() {
  timespec now{};
  ROTA_CHECK(::clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Line::Line(std::string_view event) {
  out_ = "{\"t\":";
  out_ += std::to_string(monotonic_ns());
  text("e", event);
}

void Line::begin(std::string_view name) {
  out_ += ",\"";
  out_ += name;
  out_ += "\":";
}

Line& Line::text(std::string_view name, std::string_view value) {
  begin(name);
  out_ += '"';
  for (const char c : value) out_ += (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') ? ' ' : c;
  out_ += '"';
  return *this;
}

Line& Line::number(std::string_view name, std::int64_t value) {
  begin(name);
  out_ += std::to_string(value);
  return *this;
}

Line& Line::ids(std::string_view name, std::span<const JobId> ids) {
  begin(name);
  out_ += '[';
  for (const JobId& id : ids) {
    if (out_.back() != '[') out_ += ',';
    out_ += '"';
    out_ += to_string(id);
    out_ += '"';
  }
  out_ += ']';
  return *this;
}

Line& Line::texts(std::string_view name, std::span<const std::string> values) {
  begin(name);
  out_ += '[';
  for (const std::string& value : values) {
    if (out_.back() != '[') out_ += ',';
    out_ += '"';
    out_ += value;
    out_ += '"';
  }
  out_ += ']';
  return *this;
}

Line& Line::numbers(std::string_view name, std::span<const std::int64_t> values) {
  begin(name);
  out_ += '[';
  for (const std::int64_t value : values) {
    if (out_.back() != '[') out_ += ',';
    out_ += std::to_string(value);
  }
  out_ += ']';
  return *this;
}

Result<Log> Log::open(const std::string& directory, std::string_view role, std::string_view name) {
  const std::string path =
      directory + "/" + std::string(role) + "-" + std::string(name) + "-" + std::to_string(::getpid()) + ".jsonl";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return Error{Code::internal, path + ": " + std::strerror(errno) + "; does the directory exist?"};
  return Log(fd);
}

Log::~Log() {
  if (fd_ >= 0) ::close(fd_);
}

Log::Log(Log&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void Log::write(const Line& line) const {
  const std::string text = line.whole();
  const ssize_t written = ::write(fd_, text.data(), text.size());
  ROTA_CHECK(written == static_cast<ssize_t>(text.size()));
}

std::string digest(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::string out(16, '0');
  for (std::size_t i = 16; i-- > 0; hash >>= 4U) out[i] = kDigits[hash & 15U];
  return out;
}

}  // namespace rota::history
