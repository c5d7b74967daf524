#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/job_id.h"
#include "common/base/result.h"

// What a process asked, was told and ran, as lines of JSON (format: tests/history/checker.py).
namespace rota::history {

// One line under construction: {"t":<ns of CLOCK_MONOTONIC>,"e":"<event>", ...}. Names and texts need no escaping: they are
// the programs' own words, ids and hex digits.
class Line {
 public:
  explicit Line(std::string_view event);
  Line& text(std::string_view name, std::string_view value);
  Line& number(std::string_view name, std::int64_t value);
  Line& ids(std::string_view name, std::span<const JobId> ids);
  Line& texts(std::string_view name, std::span<const std::string> values);
  Line& numbers(std::string_view name, std::span<const std::int64_t> values);
  // The whole line, with its end.
  [[nodiscard]] std::string whole() const { return out_ + "}\n"; }

 private:
  void begin(std::string_view name);
  std::string out_;
};

// The file <directory>/<role>-<name>-<pid>.jsonl of this process. Each line is one write(2), so that a process that is
// killed loses none that it has written. Any thread.
class Log {
 public:
  [[nodiscard]] static Result<Log> open(const std::string& directory, std::string_view role, std::string_view name);
  ~Log();
  Log(Log&& other) noexcept;
  Log& operator=(Log&&) = delete;

  // A line that cannot be written stops the process: a history with holes proves nothing.
  void write(const Line& line) const;

 private:
  explicit Log(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// 64 bits of FNV-1a as 16 hex digits: tells payloads and results apart.
[[nodiscard]] std::string digest(std::string_view bytes);

}  // namespace rota::history
