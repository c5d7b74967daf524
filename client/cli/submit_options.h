#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/option_takers.h"
#include "client/job_request.h"
#include "common/program/options.h"

namespace rota::cli {

// What `rota submit` was asked for.
struct SubmitOptions {
  client::JobTemplate shared;
  std::optional<JobId> id;  // of a single job
  std::string payload;      // of every job
  std::string key;
  std::optional<std::string> each_line;  // file, or "-"
  std::optional<IndexRange> array;
  bool wait = false;

  [[nodiscard]] bool single() const { return !each_line && !array; }
};

// The options of `rota submit`, declared and joined.
class SubmitOptionSet {
 public:
  void declare(program::Options& options, CLI::App* scope);
  // Checks the rules between the options and reads what stands in files. `command_line`: the words behind "--".
  // BAD_MESSAGE: a usage error. Called once.
  [[nodiscard]] Result<SubmitOptions> finish(const std::optional<std::vector<std::string>>& command_line);

 private:
  void declare_job(program::Options& options, CLI::App* scope);
  void declare_policy(program::Options& options, CLI::App* scope);
  [[nodiscard]] Status finish_command(const std::optional<std::vector<std::string>>& command_line);
  [[nodiscard]] Status finish_payload();
  [[nodiscard]] Status finish_single();

  SubmitOptions out_;
  std::optional<std::string> type_, payload_, payload_file_, stdin_file_;
  std::optional<Millis> delay_, keep_;
  std::optional<JobId> id_;
  std::vector<client::StringPair> env_;
  std::string cwd_, key_;
  std::int64_t priority_ = 0;
  std::int64_t retries_ = 0;
  std::int64_t losses_ = limits::kDefaultLosses;
};

// The whole of a file or, for "-", of stdin. TOO_LARGE beyond `most` bytes.
[[nodiscard]] Result<std::string> read_whole(const std::string& path, std::size_t most);

}  // namespace rota::cli
