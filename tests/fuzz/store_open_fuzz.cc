#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/store/meta_pages.h"
#include "broker/store/page_walk.h"
#include "broker/store/store.h"
#include "common/base/check.h"

namespace {

using namespace rota;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kEdit = 5;       // bytes of one change: where (3), how (1), what (1)
constexpr std::size_t kLockHead = 64;  // all that is read of lock.mdb before LMDB writes it anew
constexpr std::size_t kJobs = 60;
constexpr std::size_t kPage = 4096;

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
  [[nodiscard]] std::string data() const { return path_ + "/data.mdb"; }
  [[nodiscard]] std::string lock() const { return path_ + "/lock.mdb"; }
  void clear() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) std::filesystem::remove_all(entry.path());
  }

 private:
  std::string path_;
};

struct Files {
  std::string data, lock;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A store with live and ended jobs, small and large.
Files make_store() {
  const Scratch scratch;
  {
    auto opened = store::open_lmdb(scratch.path(), options());
    ROTA_CHECK(opened.ok());
    store::Store& store = **opened;
    Sink sink;
    ROTA_CHECK(store.load(sink).ok());
    const std::string large(9000, 'b');
    const std::string spec(200, 's');
    for (std::uint64_t n = 1; n <= kJobs; ++n) {
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
  Files files{read_file(scratch.data()), read_file(scratch.lock())};
  // Behind the last page there are only zeros.
  files.data.resize(files.data.find_last_not_of('\0') / kPage * kPage + kPage);
  ROTA_CHECK(files.lock.size() > kLockHead);
  return files;
}

// The input, byte by byte; behind its end there are zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] std::size_t left() const { return left_.size(); }
  std::string_view take(std::size_t most) {
    const std::string_view taken = left_.substr(0, most);
    left_.remove_prefix(taken.size());
    return taken;
  }
  std::size_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<std::uint8_t>(one[0]);
  }

 private:
  std::string_view left_;
};

enum class Lock : std::uint8_t { none, sound, changed, bytes };

// What lock.mdb holds: `sound`'s bytes, these with some of the first ones raised, or the input's own.
std::string make_lock(Lock kind, const std::string& sound, Input& input) {
  if (kind == Lock::bytes) return std::string(input.take(input.byte() % 128));
  std::string bytes = sound;
  if (kind != Lock::changed) return bytes;
  for (std::size_t count = 1 + input.byte() % 8; count > 0; --count) {
    char& at = bytes[input.byte() % kLockHead];
    at = static_cast<char>(static_cast<std::uint8_t>(at) + input.byte());
  }
  return bytes;
}

void change(std::string& bytes, Input& input) {
  while (input.left() >= kEdit && !bytes.empty()) {
    std::size_t where = input.byte();
    where |= input.byte() << 8U;
    where = (where | input.byte() << 16U) % bytes.size();
    const std::size_t page = where / kPage * kPage;
    const std::size_t how = input.byte();
    const std::size_t what = input.byte();
    switch (how % 5) {
      case 0:
        bytes[where] = static_cast<char>(what);
        break;
      case 1:
        bytes[where] = static_cast<char>(static_cast<std::uint8_t>(bytes[where]) ^ (1U << (what % 8U)));
        break;
      case 2:  // a page over another
        bytes.replace(page, kPage, std::string(bytes, what * kPage % bytes.size(), kPage));
        break;
      case 3:  // within the page's header
        bytes[page + where % 32] = static_cast<char>(what);
        break;
      default:  // cut, within a page or behind one
        bytes.resize(what % 2 == 0 ? where : page);
    }
  }
}

// False: the store refused to be loaded, or to go on.
bool read_all(store::Store& store, bool is_sound) {
  Sink sink;
  const bool loads = store.load(sink).ok();
  ROTA_CHECK(!is_sound || (loads && sink.sequences.size() == kJobs - kJobs / 3));
  if (!loads) return false;
  for (const queue::Sequence sequence : sink.sequences) {
    (void)store.bodies(std::span(&sequence, 1), [](std::size_t, const store::Batch::Body&) {});
  }
  store::ListQuery query;
  query.with_body = true;
  (void)store.list(query, [](const queue::FinishedJob& job) { ROTA_CHECK(job.job.shared != nullptr); });
  Wall now{1'780'000'000'000};
  for (int i = 0; i < 30; ++i, now = now + limits::kDropGraceStep) {
    if (!store.maintain(now)) return false;
  }
  return true;
}

// How far the inputs came, told when the process ends: a target that opens nothing would find nothing, and look as good.
struct Reach {
  std::uint64_t inputs = 0, by_lock_file = 0, by_first_pages = 0, by_walk = 0, by_lmdb = 0, opened = 0, read = 0;

  Reach() = default;
  ~Reach() { tell(); }
  Reach(const Reach&) = delete;
  Reach& operator=(const Reach&) = delete;

  void tell() const {
    const auto number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
    std::fprintf(stderr,
                 "%llu inputs; refused for the lock file %llu, the first pages %llu, other pages %llu, by LMDB %llu; "
                 "opened %llu, of these read to the end %llu\n",
                 number(inputs), number(by_lock_file), number(by_first_pages), number(by_walk), number(by_lmdb),
                 number(opened), number(read));
  }
  [[nodiscard]] bool is_far() const { return (opened + by_lmdb) * 2 >= inputs; }

  void count_refusal(const std::string& directory) {
    if (!store::lmdb::check_lock_file(directory)) {
      ++by_lock_file;
    } else if (!store::lmdb::check_meta_pages(directory)) {
      ++by_first_pages;
    } else {
      const auto wrong = store::lmdb::walk_file(directory, 1);
      ++(wrong.ok() && wrong->empty() ? by_lmdb : by_walk);
    }
  }
};

Reach& reach() {
  static Reach only;
  return only;
}

}  // namespace

// The input says what becomes of lock.mdb, and changes the data.mdb of a sound store. That is opened then as a broker does,
// in a directory without anything else: refused or read, with the jobs that are damaged told, and nothing that crashes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Files kSound = make_store();
  static const Scratch kScratch;
  Input input(data, size);
  const auto kind = static_cast<Lock>(input.byte() % 4);
  const std::string lock = make_lock(kind, kSound.lock, input);
  std::string bytes = kSound.data;
  change(bytes, input);
  kScratch.clear();
  std::ofstream(kScratch.data(), std::ios::binary) << bytes;
  if (kind != Lock::none) std::ofstream(kScratch.lock(), std::ios::binary) << lock;
  const bool is_sound = bytes == kSound.data && (kind == Lock::none || lock == kSound.lock);
  const auto opened = store::open_lmdb(kScratch.path(), options());
  ROTA_CHECK(opened.ok() || !is_sound);
  ++reach().inputs;
  if (!opened.ok()) {
    reach().count_refusal(kScratch.path());
    return 0;
  }
  ++reach().opened;
  if (read_all(**opened, is_sound)) ++reach().read;
  return 0;
}

// Some changes are for what stands before LMDB to stop; most inputs are to reach it.
extern "C" void rota_replayed() {
  if (!reach().is_far()) reach().tell();
  ROTA_CHECK(reach().is_far());
}
