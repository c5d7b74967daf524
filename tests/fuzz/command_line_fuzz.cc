#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/program/broker_options.h"
#include "client/cli/submit_options.h"
#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/program/exit_code.h"
#include "common/program/options.h"
#include "worker/program/settings.h"

namespace {

using rota::program::Options;

// A command line, and the file of its --config.
struct Given {
  std::vector<std::string> words;
  std::optional<std::string> file;
};

// One word a line; behind an empty line the file.
Given take_apart(std::string_view text) {
  Given given;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view word = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (word.empty()) {
      given.file = text;
      break;
    }
    // Nothing is read but what is in the input. A word of the system ends at its NUL.
    const bool names_a_file =
        word.starts_with("--config") || word.starts_with("--payload-file") || word.starts_with("--stdin");
    if (!names_a_file) given.words.emplace_back(word.substr(0, word.find('\0')));
  }
  return given;
}

// A file in memory with this content; its path works as long as the object lives.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(::memfd_create("config", MFD_CLOEXEC)) {
    ROTA_CHECK(fd_ >= 0 && ::write(fd_, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

void check_broker(Options& options, int argc, const char* const* argv) {
  rota::broker::BrokerOptions read;
  if (rota::broker::read_options(options, argc, argv, read)) return;
  if (read.task != rota::broker::Task::serve) return;
  ROTA_CHECK(read.lease >= rota::limits::kMinLease && read.reattach >= read.lease);
  ROTA_CHECK(read.dedup_window >= rota::limits::kMinDedupWindow);
  ROTA_CHECK(read.max_payload >= 1 && read.max_payload <= rota::limits::kLargestMaxPayload);
  ROTA_CHECK(read.store_limit >= rota::limits::kMinStoreLimit && read.store_limit <= rota::limits::kStoreMapSize);
  ROTA_CHECK(read.http == "off" || !read.http_host.empty());
}

void check_worker(Options& options, int argc, const char* const* argv) {
  rota::worker::Settings settings;
  rota::worker::declare_settings(options, settings);
  if (options.parse(argc, argv) || rota::worker::complete_settings(options, settings)) return;
  const rota::worker::WorkerOptions& worker = settings.worker;
  ROTA_CHECK(settings.exec || !settings.commands.empty());
  ROTA_CHECK(!worker.brokers.empty() && worker.brokers.size() <= rota::limits::kMaxBrokersPerWorker);
  ROTA_CHECK(!worker.queues.empty() && worker.queues.size() <= rota::limits::kMaxQueuesPerWorker);
  for (const auto& [name, weight] : worker.queues) {
    ROTA_CHECK(rota::is_valid_queue_name(name) && weight >= 1 && weight <= rota::limits::kMaxQueueWeight);
  }
  for (const auto& [name, argv_of] : settings.commands) ROTA_CHECK(rota::is_valid_type_name(name) && !argv_of.empty());
  ROTA_CHECK(worker.labels.size() <= rota::limits::kMaxLabels && worker.slots <= rota::limits::kMaxSlots);
}

void check_submit(Options& options, int argc, const char* const* argv) {
  rota::cli::SubmitOptionSet set;
  set.declare(options, options.app().add_subcommand("submit", "submits"));
  if (options.parse(argc, argv)) return;
  const auto finished = set.finish(std::vector<std::string>{"true"});
  if (!finished) {
    ROTA_CHECK(!finished.error().message.empty());
    return;
  }
  ROTA_CHECK(rota::client::check(finished->shared).ok());
}

}  // namespace

// Help and version are printed.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  ROTA_CHECK(std::freopen("/dev/null", "w", stdout) != nullptr && std::freopen("/dev/null", "r", stdin) != nullptr);
  return 0;
}

// A command line and its --config file, given to one of the programs: refused with a message, or taken and within the
// bounds. The first line says which program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Given given = take_apart({reinterpret_cast<const char*>(data), size});
  if (given.words.empty()) return 0;
  const char program = given.words[0].empty() ? '\0' : given.words[0][0];
  std::optional<MemoryFile> file;
  if (given.file) given.words.push_back("--config=" + file.emplace(*given.file).path());
  std::vector<const char*> argv;
  for (const std::string& word : given.words) argv.push_back(word.c_str());
  if (program == 's') argv.insert(argv.begin() + 1, "submit");

  Options options("rota-test", "A program");
  options.print_usage_errors_with([](std::string_view message) { ROTA_CHECK(!message.empty()); });
  const int argc = static_cast<int>(argv.size());
  if (program == 'b') check_broker(options, argc, argv.data());
  if (program == 'w') check_worker(options, argc, argv.data());
  if (program == 's') check_submit(options, argc, argv.data());
  return 0;
}
