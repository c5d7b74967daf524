#include "broker/store/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <set>

#include "tests/conformance/store_driver.h"
#include "tests/unit/store/damage.h"

namespace rota::store::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

const StoreOptions kSmall{.store_limit = 16 * limits::MiB};
const std::string kLongSpec(200, 's');  // kept apart from the jobs that share it

CheckReport checked(const std::string& directory) {
  const auto report = check_lmdb(directory);
  EXPECT_TRUE(report.ok()) << report.error().message;
  return report.ok() ? *report : CheckReport();
}

// Something in every table: four live jobs, two outcomes that are not swept, a tombstone and three filed jobs.
void fill(const std::string& directory) {
  const auto store = open_store(directory, kSmall);
  Loaded loaded;
  ASSERT_TRUE(store->load(loaded).ok());
  Changes jobs;
  for (std::uint64_t n = 1; n <= 10; ++n) {
    jobs.accept(Job{.number = n, .body = std::string(n % 3 == 0 ? 5000 : 50, 'b'), .spec = n > 5 ? "own" : kLongSpec});
  }
  must_commit(*store, jobs);
  must_commit(*store, Changes().finish(1).finish(2).finish(3));
  maintain_all(*store, kStart);
  queue::StateRecord state;
  state.sequence = 4;
  must_commit(*store, Changes().lease(4, 1).lease(5, 2).change(state).pause("images", true));
  must_commit(*store, Changes().finish(5, 2).finish(6).forget(7));
}

TEST(Check, SoundStoreIsReportedTableByTable) {
  const TempDir directory;
  fill(directory.path());
  const CheckReport report = checked(directory.path());
  EXPECT_TRUE(report.is_sound()) << testing::PrintToString(report.listed);
  EXPECT_TRUE(report.is_read);
  EXPECT_EQ(report.format, kFormat);
  EXPECT_EQ(report.epoch, 1U);
  EXPECT_FALSE(report.broker_id.is_nil());
  EXPECT_EQ(report.live_jobs, 4U);
  EXPECT_EQ(report.finished_jobs, 5U);
  EXPECT_EQ(report.paused_queues, 1U);
  const auto records = [&](Table table) { return report.tables[static_cast<std::size_t>(table)].records; };
  EXPECT_EQ(records(Table::meta), 4U);
  EXPECT_EQ(records(Table::shared), 1U);
  EXPECT_EQ(records(Table::uses), 1U);
  EXPECT_EQ(records(Table::bodies), 7U);
  EXPECT_EQ(records(Table::state), 1U);
  EXPECT_EQ(records(Table::leases), 2U);
  EXPECT_EQ(records(Table::outcomes), 3U);
  EXPECT_EQ(records(Table::finished), 3U);
  EXPECT_EQ(records(Table::forget), 3U);
  EXPECT_GE(report.tables[static_cast<std::size_t>(Table::bodies)].bytes, 4096U);
  EXPECT_GE(report.file_bytes, report.used_bytes);
  EXPECT_GE(report.used_bytes, 10U * 4096U);
}

TEST(Check, NewStoreIsSound) {
  const TempDir directory;
  {
    Loaded loaded;
    ASSERT_TRUE(open_store(directory.path(), kSmall)->load(loaded).ok());
  }
  EXPECT_TRUE(checked(directory.path()).is_sound());
}

TEST(Check, ChangesNothing) {
  const TempDir directory;
  fill(directory.path());
  std::filesystem::remove(directory.path() + "/lock.mdb");
  const std::string before = read_bytes(file_of(directory.path()));
  EXPECT_TRUE(checked(directory.path()).is_sound());
  EXPECT_EQ(read_bytes(file_of(directory.path())), before);
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/lock.mdb"));
}

TEST(Check, FlippedByteInAnyTableIsNamedByTableAndKey) {
  const std::pair<Table, std::string> all[] = {
      {Table::meta, "meta record broker is damaged"},
      {Table::shared, "shared record 1 is damaged"},
      {Table::uses, "uses record 1 is damaged"},
      {Table::bodies, "bodies record 4 is damaged"},
      {Table::state, "state record 4 is damaged"},
      {Table::leases, "leases record 1 is damaged"},
      {Table::outcomes, "outcomes record 4 is damaged"},
      {Table::finished, "finished record " + to_string(job_id(1)) + " is damaged"},
      {Table::forget, "forget record " + to_string(job_id(1)) + " is damaged"},
  };
  for (const auto& [table, expected] : all) {
    for (const std::size_t at : {0U, 8U}) {
      if (table == Table::forget && at > 7) continue;  // nothing but a checksum
      const TempDir directory;
      fill(directory.path());
      flip_first(directory.path(), table, at);
      const CheckReport report = checked(directory.path());
      EXPECT_THAT(report.listed, Contains(expected));
      EXPECT_EQ(report.damages, 1U) << testing::PrintToString(report.listed);
    }
  }
}

TEST(Check, DamagedLargeBodyIsFound) {
  const TempDir directory;
  {
    const auto store = open_store(directory.path(), kSmall);
    Loaded loaded;
    ASSERT_TRUE(store->load(loaded).ok());
    must_commit(*store, Changes().accept(Job{.number = 1, .body = std::string(9000, 'b') + "here"}));
  }
  std::string bytes = read_bytes(file_of(directory.path()));
  const std::size_t at = bytes.find("here");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'H';
  write_bytes(file_of(directory.path()), bytes);
  EXPECT_EQ(checked(directory.path()).listed, std::vector<std::string>{"bodies record 1 is damaged"});
}

TEST(Check, MissingRecordIsNamedByThoseThatNeedIt) {
  const std::string first = to_string(job_id(1));
  const std::pair<Table, std::vector<std::string>> all[] = {
      {Table::shared,
       {"bodies record 4 names shared record 1, which does not exist",
        "uses record 1 counts a shared record that does not exist"}},
      {Table::uses, {"shared record 1 is not counted in uses"}},
      {Table::bodies,
       {"leases record 1 hands out job record 4, which is not in bodies",
        "state record 4 is of a job that is not in bodies", "uses record 1 counts 5 jobs, but 4 name that shared record"}},
      {Table::finished,
       {"forget record " + first + " names a job that is not in finished",
        "uses record 1 counts 5 jobs, but 4 name that shared record"}},
      {Table::forget, {"finished record " + first + " is not in forget: it would stay for ever"}},
      {Table::meta, {"table meta has no broker id"}},
  };
  for (const auto& [table, expected] : all) {
    const TempDir directory;
    fill(directory.path());
    erase_first(directory.path(), table);
    const CheckReport report = checked(directory.path());
    for (const std::string& wrong : expected) EXPECT_THAT(report.listed, Contains(wrong));
  }
}

TEST(Check, OutcomeWithoutItsJobIsNamed) {
  const TempDir directory;
  {
    const auto store = open_store(directory.path(), kSmall);
    Loaded loaded;
    ASSERT_TRUE(store->load(loaded).ok());
    must_commit(*store, Changes().accept(Job{.number = 1}).finish(1));
  }
  erase_first(directory.path(), Table::bodies);
  EXPECT_EQ(checked(directory.path()).listed,
            std::vector<std::string>{"outcomes record 1 ends job record 1, which is not in bodies"});
}

TEST(Check, ListOfDamageIsBoundedAndCountedInFull) {
  const TempDir directory;
  constexpr std::uint64_t kJobs = 3 * limits::kMaxListedDamages;
  {
    const auto store = open_store(directory.path(), kSmall);
    Loaded loaded;
    ASSERT_TRUE(store->load(loaded).ok());
    Changes jobs;
    for (std::uint64_t n = 1; n <= kJobs; ++n) jobs.accept(Job{.number = n, .body = "find-this"});
    must_commit(*store, jobs);
  }
  std::string bytes = read_bytes(file_of(directory.path()));
  for (std::size_t at = bytes.find("find-this"); at != std::string::npos; at = bytes.find("find-this", at)) bytes[at] = 'F';
  write_bytes(file_of(directory.path()), bytes);
  const CheckReport report = checked(directory.path());
  EXPECT_EQ(report.damages, kJobs);
  EXPECT_EQ(report.listed.size(), limits::kMaxListedDamages);
  EXPECT_EQ(report.listed.front(), "bodies record 1 is damaged");
}

TEST(Check, CutFileIsDamage) {
  const TempDir directory;
  fill(directory.path());
  std::filesystem::resize_file(file_of(directory.path()), 5UL * 4096);
  EXPECT_THAT(checked(directory.path()).listed, testing::ElementsAre(HasSubstr("data.mdb was cut: it has 20480 bytes")));
}

TEST(Check, StoreThatCannotBeOpenedIsDamagedAndSaysNothingElse) {
  const TempDir directory;
  fill(directory.path());
  const std::string good = read_bytes(file_of(directory.path()));
  // Of both first pages: version, last page.
  for (const std::size_t at : {20U, 139U, 143U}) {
    std::string bytes = good;
    for (const std::size_t page : {0U, 4096U}) bytes[page + at] = static_cast<char>(0xFF);
    write_bytes(file_of(directory.path()), bytes);
    const auto report = check_lmdb(directory.path());
    ASSERT_TRUE(report.ok()) << at << ": " << report.error().message;
    EXPECT_FALSE(report->is_sound()) << at;
    EXPECT_FALSE(report->is_read) << at;
  }
  std::filesystem::resize_file(file_of(directory.path()), 5UL * 4096);
  EXPECT_FALSE(checked(directory.path()).is_read);
}

TEST(Check, CutFileIsNotOpenedByTheBrokerEither) {
  const TempDir directory;
  fill(directory.path());
  for (const std::uint64_t pages : {15U, 10U, 5U, 2U}) {
    std::filesystem::resize_file(file_of(directory.path()), pages * 4096);
    const auto opened = open_lmdb(directory.path(), kSmall);
    ASSERT_FALSE(opened.ok()) << pages;
    EXPECT_THAT(opened.error().message, HasSubstr("data.mdb was cut"));
  }
}

TEST(Check, FileOfSomethingElseIsDamage) {
  const TempDir directory;
  write_bytes(file_of(directory.path()), std::string(100'000, 'x'));
  EXPECT_THAT(checked(directory.path()).listed, testing::ElementsAre(HasSubstr("first pages")));
}

// LMDB itself crashes on some of them.
TEST(Check, OverwrittenPageIsFoundWhateverItHeld) {
  const TempDir directory;
  fill(directory.path());
  const std::string good = read_bytes(file_of(directory.path()));
  std::uint64_t end = 0;
  {
    const auto env = lmdb::Env::open(directory.path(), limits::GiB, limits::GiB);
    end = (*env)->pages().end;
  }
  std::mt19937_64 random(20261122);
  int found = 0;
  for (std::uint64_t page = 0; page < end; ++page) {
    std::string bytes = good;
    for (std::size_t i = 0; i < 4096; ++i) bytes[page * 4096 + i] = static_cast<char>(random());
    write_bytes(file_of(directory.path()), bytes);
    const CheckReport report = checked(directory.path());
    if (!report.is_sound()) {
      ++found;
      continue;
    }
    // A page that was free.
    Loaded loaded;
    const auto store = open_store(directory.path(), kSmall);
    ASSERT_TRUE(store->load(loaded).ok()) << page;
    EXPECT_EQ(loaded.jobs.size(), 4U);
  }
  EXPECT_GT(found, 9);
}

TEST(Check, StoreThatIsInUseIsRefusedWithItsHolder) {
  const TempDir directory;
  fill(directory.path());
  const auto store = open_store(directory.path(), kSmall);
  const auto report = check_lmdb(directory.path());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::retry_later);
  EXPECT_THAT(report.error().message, HasSubstr(directory.path() + " is in use"));
  EXPECT_THAT(report.error().message, HasSubstr("pid " + std::to_string(::getpid())));
}

TEST(Check, DirectoryWithoutAStoreIsNotFoundAndLeftAsItIs) {
  const TempDir directory;
  for (const std::string& path : {directory.path(), directory.path() + "/none"}) {
    const auto report = check_lmdb(path);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, Code::not_found);
    EXPECT_THAT(report.error().message, HasSubstr(path + " holds no store"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

// Jobs that live and end in every way there is.
class History {
 public:
  History(const std::string& directory, std::uint64_t seed) : directory_(directory), random_(seed) {}

  void run(const StoreOptions& options, int rounds) {
    const auto store = open_store(directory_, options);
    Loaded loaded;
    ASSERT_TRUE(store->load(loaded).ok());
    EXPECT_EQ(loaded.jobs.size(), live.size());
    for (int round = 0; round < rounds; ++round) {
      Changes changes;
      accept_some(changes);
      for (int i = 0; i < 5 && !live.empty(); ++i) change_one(changes);
      must_commit(*store, changes);
      if (below(2) == 0) now_ = now_ + Millis{static_cast<std::int64_t>(below(1500))};
      if (below(3) == 0) {
        ASSERT_TRUE(store->maintain(now_).ok());
      }
      std::erase_if(finished, [&](std::uint64_t job) { return !test::finished(*store, job, false); });
      if (!finished.empty()) touch_finished(*store);
    }
  }

  std::set<std::uint64_t> live, finished;

 private:
  std::uint64_t below(std::uint64_t most) { return random_() % most; }

  void accept_some(Changes& changes) {
    const std::string spec = below(2) == 0 ? kLongSpec : "spec";
    for (std::uint64_t i = below(6); i > 0; --i) {
      changes.accept(Job{.number = next_, .sequence = next_sequence_, .body = std::string(below(4000), 'b'), .spec = spec});
      sequences_[next_] = next_sequence_++;
      live.insert(next_++);
    }
  }

  void change_one(Changes& changes) {
    auto it = live.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(below(live.size())));
    const std::uint64_t job = *it;
    const std::uint64_t lease = leases_.contains(job) ? leases_[job] : 0;
    const std::uint64_t what = below(5);
    if (what == 0) {
      if (lease == 0) changes.lease(sequences_[job], leases_[job] = next_dispatch_++);
      return;
    }
    leases_.erase(job);
    if (what == 1) {
      if (lease != 0) changes.end_lease(sequences_[job], lease);
      queue::StateRecord state;
      state.sequence = sequences_[job];
      changes.change(state);
      return;
    }
    live.erase(job);
    if (what == 2) {
      changes.forget(job, sequences_[job], lease);
      return;
    }
    const bool at_once = below(4) == 0;
    const Wall forget_at = at_once ? kStart + Millis{20} : now_ + Millis{1 + static_cast<std::int64_t>(below(9000))};
    changes.finish(job, lease, std::string(below(3000), 'r'), forget_at, sequences_[job]);
    if (!at_once) finished.insert(job);
    if (at_once && below(2) == 0) changes.forget(job, sequences_[job], lease);
  }

  void touch_finished(Store& store) {
    const std::uint64_t job = *finished.begin();
    finished.erase(job);
    Changes changes;
    if (below(2) == 0) {
      changes.revive(job, sequences_[job], next_sequence_);
      sequences_[job] = next_sequence_++;
      live.insert(job);
    } else {
      changes.forget(job, sequences_[job]);
    }
    must_commit(store, changes);
  }

  std::string directory_;
  std::mt19937_64 random_;
  std::map<std::uint64_t, queue::Sequence> sequences_;
  std::map<std::uint64_t, std::uint64_t> leases_;
  std::uint64_t next_ = 1, next_sequence_ = 1, next_dispatch_ = 1;
  Wall now_ = kStart;
};

TEST(Check, StoreIsSoundAfterAnyHistory) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const TempDir directory;
    History history(directory.path(), seed);
    StoreOptions options = kSmall;
    options.dedup_window = Millis{1000};
    if (seed % 2 == 1) options.finished_limit = 64 * limits::KiB;
    for (int opening = 0; opening < 3; ++opening) {
      history.run(options, 40);
      const CheckReport report = checked(directory.path());
      EXPECT_TRUE(report.is_sound()) << testing::PrintToString(report.listed);
      EXPECT_EQ(report.live_jobs, history.live.size());
      EXPECT_GE(report.finished_jobs, history.finished.size());
    }
  }
}

}  // namespace
}  // namespace rota::store::test
