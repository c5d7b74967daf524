#include "client/cli/job_source.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/limits.h"
#include "common/base/units.h"

namespace rota::cli {

namespace {

class SingleJob : public JobSource {
 public:
  explicit SingleJob(const SubmitOptions& options) : options_(options) {}

  Result<Next> next(client::JobItem& item) override {
    if (done_) return Next::end;
    done_ = true;
    item.id = options_.id;
    item.key = options_.key;
    item.payload = options_.payload;
    return Next::job;
  }

 private:
  const SubmitOptions& options_;
  bool done_ = false;
};

class ArrayJobs : public JobSource {
 public:
  explicit ArrayJobs(const SubmitOptions& options) : options_(options), left_(options.array->count()) {}

  Result<Next> next(client::JobItem& item) override {
    if (left_ == 0) return Next::end;
    item.index =
        options_.array->first + static_cast<std::int64_t>(given_ * static_cast<std::uint64_t>(options_.array->step));
    item.payload = options_.payload;
    ++given_;
    --left_;
    return Next::job;
  }

 private:
  const SubmitOptions& options_;
  std::uint64_t given_ = 0;
  std::uint64_t left_;
};

// Lines of a file or pipe, in a buffer of one longest line.
class LineJobs : public JobSource {
 public:
  LineJobs(const SubmitOptions& options, int fd, bool owned) : options_(options), fd_(fd), owned_(owned) {
    buffer_.resize(2 * limits::kMaxLine + 2);
  }
  ~LineJobs() override {
    if (owned_) ::close(fd_);
  }
  LineJobs(const LineJobs&) = delete;
  LineJobs& operator=(const LineJobs&) = delete;

  Result<Next> next(client::JobItem& item) override {
    for (;;) {
      const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
      const std::size_t newline = unread.find('\n', searched_);
      if (newline != std::string_view::npos) return give(item, unread.substr(0, newline), newline + 1);
      if (at_end_ && unread.empty()) return Next::end;
      if (at_end_) return give(item, unread, unread.size());
      searched_ = unread.size();
      if (unread.size() > limits::kMaxLine) return too_long();
      if (!has_input()) return Next::not_yet;
      if (Status read = fill(); !read) return read.error();
    }
  }

 private:
  Result<Next> give(client::JobItem& item, std::string_view line, std::size_t consumed) {
    if (line.size() > limits::kMaxLine) return too_long();
    ++number_;
    if (line.find('\0') != std::string_view::npos) {
      return Error{Code::bad_message, "line " + std::to_string(number_) + " holds a NUL character, which no job can take"};
    }
    begin_ += consumed;
    searched_ = 0;
    item.line = line;
    item.payload = options_.payload;
    return Next::job;
  }

  Error too_long() const {
    return Error{Code::too_large,
                 "line " + std::to_string(number_ + 1) + " is longer than " + format_size(limits::kMaxLine)};
  }

  bool has_input() const {
    pollfd item{fd_, POLLIN, 0};
    return ::poll(&item, 1, 0) != 0;  // a failing poll is left to read to explain
  }

  Status fill() {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    const ssize_t got = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0 && errno == EINTR) return {};
    if (got < 0) return Error{Code::bad_message, "cannot read '" + *options_.each_line + "': " + std::strerror(errno)};
    if (got == 0) at_end_ = true;
    end_ += static_cast<std::size_t>(got);
    return {};
  }

  const SubmitOptions& options_;
  int fd_;
  bool owned_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;  // of the unread part, known to hold no newline
  std::uint64_t number_ = 0;
  bool at_end_ = false;
};

}  // namespace

Result<std::unique_ptr<JobSource>> make_job_source(const SubmitOptions& options) {
  if (options.array) return std::unique_ptr<JobSource>(std::make_unique<ArrayJobs>(options));
  if (!options.each_line) return std::unique_ptr<JobSource>(std::make_unique<SingleJob>(options));
  const bool is_stdin = *options.each_line == "-";
  const int fd = is_stdin ? STDIN_FILENO : ::open(options.each_line->c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Error{Code::bad_message, "--each-line: cannot read '" + *options.each_line + "': " + std::strerror(errno)};
  }
  return std::unique_ptr<JobSource>(std::make_unique<LineJobs>(options, fd, !is_stdin));
}

}  // namespace rota::cli
