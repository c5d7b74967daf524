#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/output_choice.h"
#include "client/client.h"
#include "common/base/result.h"
#include "common/program/options.h"

namespace rota::cli {

// What all commands of one run of the program share: the common options, the connection, and the ways to say what went
// wrong.
class Session {
 public:
  explicit Session(program::Options& options) : options_(options) {}
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void declare_common();
  // What --output seems to be, for errors of the parse; before it.
  void expect_output(std::string chosen) { output_ = std::move(chosen); }

  [[nodiscard]] Output output() const;
  [[nodiscard]] const std::string& broker() const { return broker_; }
  [[nodiscard]] bool broker_given() const { return broker_given_; }
  [[nodiscard]] Millis timeout() const { return timeout_.value_or(limits::kDefaultTimeout); }
  // How long to wait for jobs: only what the user gave. Negative: no limit.
  [[nodiscard]] Millis wait_limit() const { return timeout_.value_or(Millis{-1}); }

  // The words behind "--"; nothing: there was no "--".
  std::optional<std::vector<std::string>> command_line;

  // Connects with the common options and those set in client_options. On failure the reason has been printed, and
  // connect_exit() is the exit code.
  [[nodiscard]] bool connect();
  [[nodiscard]] int connect_exit() const { return connect_exit_; }
  [[nodiscard]] client::Client& client() { return *client_; }
  client::ClientOptions client_options;

  // From now on SIGINT and SIGTERM end blocking calls of the client with CANCELLED instead of the process. Before
  // connect().
  void catch_signals();
  // Takes a signal that arrived, if any.
  [[nodiscard]] bool take_signal();
  // Lets signals end the process again.
  void release_signals();

  // Each prints one line and returns the exit code.
  int fail(const Error& error) const;
  int fail_request(const Error& error) const;  // a request that got no answer counts as an unreachable broker
  [[nodiscard]] int usage(std::string_view message) const { return options_.usage_error(message); }
  // Bytes to stdout, and what is buffered for it; finish() tells if they could not be written.
  void write_out(std::string_view bytes) const;
  void flush_out() const;
  // A job's output: its bytes, but nothing that acts on a terminal where `stream` (stdout or stderr) is one.
  void write_output(std::string_view bytes, std::FILE* stream) const;
  // The last word of the program: `code`, unless something could not be written to stdout.
  [[nodiscard]] int finish(int code) const;
  // Why a job did not succeed: an error in json, with a code of the end; nothing in quiet.
  void explain_end(std::string_view code, const std::string& message) const;
  // A line on stderr that is no error; {"notice": …} in json, nothing in quiet.
  void notice(std::string_view message) const;

 private:
  program::Options& options_;
  std::string broker_ = "tcp://127.0.0.1:5555";
  bool broker_given_ = false;
  std::optional<Millis> timeout_;
  std::string output_ = "text";
  std::optional<client::Client> client_;
  int connect_exit_ = 0;
  int signal_fd_ = -1;
  mutable int write_errno_ = 0;  // why stdout could not be written
};

}  // namespace rota::cli
