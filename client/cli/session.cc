#include "client/cli/session.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "client/cli/job_json.h"
#include "client/cli/option_takers.h"
#include "client/cli/shown_text.h"
#include "common/program/exit_code.h"
#include "common/program/version.h"

namespace rota::cli {

namespace {

sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Session::~Session() {
  client_.reset();
  if (signal_fd_ >= 0) ::close(signal_fd_);
}

void Session::declare_common() {
  options_.print_usage_errors_with([this](std::string_view message) { fail({Code::bad_message, std::string(message)}); });
  options_.add({.scope = nullptr,
                .name = "broker",
                .placeholder = "ENDPOINT",
                .help = "The broker's endpoint for clients [tcp://127.0.0.1:5555]",
                .environment = std::nullopt},
               [this](std::string_view text) -> Status {
                 broker_given_ = true;
                 return endpoint(broker_)(text);
               });
  options_.add({.scope = nullptr,
                .name = "timeout",
                .placeholder = "DUR",
                .help = "Limit of a request [10s]; waiting for jobs has none unless this is given",
                .environment = std::nullopt},
               [this](std::string_view text) -> Status {
                 Millis value{0};
                 Status taken = program::Options::duration(value, Millis{1})(text);
                 if (taken) timeout_ = value;
                 return taken;
               });
  options_.add({.scope = nullptr,
                .name = "output",
                .placeholder = "FORMAT",
                .help = "text, json (one object a line) or quiet [text]",
                .environment = std::nullopt},
               program::Options::choice(output_, {"text", "json", "quiet"}));
}

Output Session::output() const {
  if (output_ == "json") return Output::json;
  return output_ == "quiet" ? Output::quiet : Output::text;
}

bool Session::connect() {
  client_options.endpoint = broker_;
  client_options.timeout = timeout();
  client_options.software = "rota " + std::string(program::kVersion);
  client_options.wake_fd = signal_fd_;
  Result<client::Client> connected = client::Client::connect(client_options);
  if (connected) {
    client_.emplace(std::move(connected).value());
    return true;
  }
  connect_exit_ = fail_request(connected.error());
  return false;
}

void Session::catch_signals() {
  if (signal_fd_ >= 0) return;
  const sigset_t signals = handled_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal_fd_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool Session::take_signal() {
  signalfd_siginfo info{};
  return signal_fd_ >= 0 && ::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info);
}

void Session::release_signals() {
  const sigset_t signals = handled_signals();
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

int Session::fail(const Error& error) const {
  flush_out();
  if (output() == Output::json) {
    std::fprintf(stderr, "%s\n", error_json(error).c_str());
  } else {
    std::fprintf(stderr, "rota: %s\n", shown_line(error.message).c_str());
  }
  return program::exit_for(error.code);
}

int Session::fail_request(const Error& error) const {
  const int code = fail(error);
  return error.code == Code::timed_out ? program::kExitUnreachable : code;
}

void Session::write_out(std::string_view bytes) const {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() && write_errno_ == 0) write_errno_ = errno;
}

// The reason is known only now: the stream remembers that it failed, not why.
void Session::flush_out() const {
  if (std::fflush(stdout) != 0 && write_errno_ == 0) write_errno_ = errno;
}

int Session::finish(int code) const {
  flush_out();
  if (std::ferror(stdout) == 0 && write_errno_ == 0) return code;
  std::string text = "cannot write to stdout";
  if (write_errno_ != 0) text += std::string(": ") + std::strerror(write_errno_);
  fail({Code::internal, std::move(text)});
  return program::kExitInternal;
}

void Session::explain_end(std::string_view code, const std::string& message) const {
  if (output() != Output::json) return notice(message);
  flush_out();
  std::fprintf(stderr, "%s\n", end_error_json(code, message).c_str());
}

void Session::notice(std::string_view message) const {
  if (output() == Output::quiet) return;
  flush_out();
  if (output() == Output::json) {
    std::fprintf(stderr, "%s\n", object_json("notice", message).c_str());
  } else {
    std::fprintf(stderr, "rota: %s\n", shown_line(message).c_str());
  }
}

void Session::write_output(std::string_view bytes, std::FILE* stream) const {
  if (::isatty(::fileno(stream)) == 1) {
    const std::string shown = shown_output(bytes);
    stream == stdout ? write_out(shown) : static_cast<void>(std::fwrite(shown.data(), 1, shown.size(), stream));
  } else {
    stream == stdout ? write_out(bytes) : static_cast<void>(std::fwrite(bytes.data(), 1, bytes.size(), stream));
  }
}

}  // namespace rota::cli
