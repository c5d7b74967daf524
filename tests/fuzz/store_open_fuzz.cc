#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "broker/store/store.h"
#include "common/base/check.h"

namespace {

using namespace rota;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kEdit = 5;  // bytes of one change: where (3), how (1), what (1)

class Sink final : public store::LoadSink {
 public:
  void live_job(const queue::LiveJob& job) override {
    ROTA_CHECK(job.job.shared != nullptr);
    sequences.push_back(job.job.sequence);
  }
  void paused_queue(std::string_view) override {}
  std::vector<queue::Sequence> sequences;
};

store::StoreOptions options() {
  store::StoreOptions small;
  small.store_limit = 16 * limits::MiB;
  return small;
}

// A directory that the process leaves behind empty.
class Scratch {
 public:
  Scratch() {
    const char* const memory = "/dev/shm";
    std::string name = (std::filesystem::exists(memory) ? memory : "/tmp") + std::string("/rota-fuzz-XXXXXX");
    ROTA_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const { return path_ + "/data.mdb"; }

 private:
  std::string path_;
};

// A store with live and ended jobs, small and large; its bytes.
std::string make_store() {
  const Scratch scratch;
  {
    auto opened = store::open_lmdb(scratch.path(), options());
    ROTA_CHECK(opened.ok());
    store::Store& store = **opened;
    Sink sink;
    ROTA_CHECK(store.load(sink).ok());
    const std::string large(9000, 'b');
    const std::string spec(200, 's');
    for (std::uint64_t n = 1; n <= 60; ++n) {
      const auto batch = store.new_batch();
      queue::SharedRecord shared;
      shared.queue = "default";
      shared.type = "exec";
      shared.spec = n % 2 == 0 ? std::string_view(spec) : "own";
      queue::JobRecord job;
      job.sequence = n;
      job.id.bytes[6] = 0x70;
      job.id.bytes[8] = 0x80;
      job.id.bytes[15] = static_cast<std::uint8_t>(n);
      job.shared = &shared;
      job.body = n % 5 == 0 ? std::string_view(large) : "small";
      batch->stage({Durability::fsync, queue::JobAccepted{job}});
      ROTA_CHECK(store.commit(*batch).ok());
      if (n % 3 != 0) continue;
      const auto ends = store.new_batch();
      queue::OutcomeRecord outcome;
      outcome.sequence = n;
      outcome.id = job.id;
      outcome.finished_at = Wall{1'780'000'000'000};
      outcome.forget_at = Wall{1'790'000'000'000};
      outcome.report = "report";
      ends->stage({Durability::fsync, queue::JobFinished{outcome, {}}});
      ROTA_CHECK(store.commit(*ends).ok());
      if (n == 30) ROTA_CHECK(store.maintain(Wall{1'780'000'000'000}).ok());
    }
  }
  std::ifstream file(scratch.file(), std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  // Behind the last page there are only zeros.
  bytes.resize(bytes.find_last_not_of('\0') / 4096 * 4096 + 4096);
  return bytes;
}

void read_all(store::Store& store) {
  Sink sink;
  if (!store.load(sink)) return;
  for (const queue::Sequence sequence : sink.sequences) {
    (void)store.bodies(std::span(&sequence, 1), [](std::size_t, const store::Batch::Body&) {});
  }
  store::ListQuery query;
  query.with_body = true;
  (void)store.list(query, [](const queue::FinishedJob& job) { ROTA_CHECK(job.job.shared != nullptr); });
  Wall now{1'780'000'000'000};
  for (int i = 0; i < 30; ++i, now = now + limits::kDropGraceStep) {
    if (!store.maintain(now)) return;
  }
}

}  // namespace

// The input is a list of changes to the file of a sound store, which is opened then as a broker does: refused or read, with
// the jobs that are damaged told, and nothing that crashes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string kSound = make_store();
  static const Scratch kScratch;
  std::string bytes = kSound;
  for (std::size_t at = 0; at + kEdit <= size; at += kEdit) {
    const std::size_t where =
        (data[at] | std::size_t{data[at + 1]} << 8U | std::size_t{data[at + 2]} << 16U) % bytes.size();
    const std::size_t page = where / 4096 * 4096;
    switch (data[at + 3] % 4) {
      case 0:
        bytes[where] = static_cast<char>(data[at + 4]);
        break;
      case 1:
        bytes[where] = static_cast<char>(static_cast<std::uint8_t>(bytes[where]) ^ (1U << (data[at + 4] % 8U)));
        break;
      case 2:  // a page over another
        bytes.replace(page, 4096, std::string(bytes, data[at + 4] * std::size_t{4096} % bytes.size(), 4096));
        break;
      default:  // within the page's header
        bytes[page + where % 32] = static_cast<char>(data[at + 4]);
    }
  }
  std::filesystem::remove(kScratch.file());
  std::ofstream(kScratch.file(), std::ios::binary) << bytes;
  const auto opened = store::open_lmdb(kScratch.path(), options());
  if (opened.ok()) read_all(**opened);
  return 0;
}
