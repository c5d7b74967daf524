#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/store_driver.h"
#include "tests/unit/store/damage.h"

// A record of `finished` whose key is damaged, so that the keys still rise: nobody finds it under its id any more.
namespace rota::store::test {
namespace {

const StoreOptions kSmall{.store_limit = 16 * limits::MiB};

std::string key_of(const JobId& id) { return std::string(view(id)); }

// Puts the record of job `from` under the key `to`, with bit 0 of its byte `at` inverted unless that is npos.
void move_record(const std::string& directory, const JobId& from, const std::string& to,
                 std::size_t at = std::string::npos) {
  edit_first(directory, Table::finished, [&](MDB_cursor* cursor, MDB_val, MDB_val) {
    const std::string old = key_of(from);
    MDB_val key = lmdb::to_val(old);
    MDB_val value{};
    ASSERT_EQ(::mdb_cursor_get(cursor, &key, &value, MDB_SET_KEY), 0);
    std::string record(lmdb::to_view(value));
    if (at != std::string::npos) record[at] = static_cast<char>(record[at] ^ 1);
    ASSERT_EQ(::mdb_cursor_del(cursor, 0), 0);
    key = lmdb::to_val(to);
    value = lmdb::to_val(record);
    ASSERT_EQ(::mdb_cursor_put(cursor, &key, &value, 0), 0);
  });
}

class DamagedKey : public testing::Test {
 protected:
  // Jobs 10, 20 and 30 are filed.
  void SetUp() override {
    const auto store = open();
    Changes changes;
    for (const std::uint64_t n : {10U, 20U, 30U}) changes.accept(Job{.number = n, .queue = "mail"}).finish(n, 0, "report");
    must_commit(*store, changes);
    maintain_all(*store, kStart);
  }

  std::unique_ptr<Store> open() {
    auto store = open_store(directory_.path(), kSmall);
    Loaded loaded;
    EXPECT_TRUE(store->load(loaded).ok());
    return store;
  }

  // "found", "none" or the error.
  static std::string find(Store& store, std::vector<JobId> ids) {
    std::string said = "none";
    const Status status = store.find(ids, {}, [&](std::size_t, const queue::FinishedJob&) { said = "found"; });
    return status.ok() ? said : status.error().message;
  }

  static std::string list(Store& store, const ListQuery& query) {
    const auto page = store.list(query, [](const queue::FinishedJob&) {});
    return page.ok() ? "fine" : page.error().message;
  }

  static testing::Matcher<std::string> names(const std::string& key) {
    return testing::HasSubstr(lmdb::record_name(Table::finished, key) + " is damaged");
  }

  TempDir directory_;
};

TEST_F(DamagedKey, JobIsReportedAndOthersAreFoundOrNot) {
  const JobId id = job_id(20);
  for (const std::uint64_t other : {11U, 19U, 21U, 29U}) {  // in front of where it belongs, and behind
    move_record(directory_.path(), id, key_of(job_id(other)));
    const auto store = open();
    EXPECT_THAT(find(*store, {id}), names(key_of(id))) << other;
    EXPECT_EQ(find(*store, {job_id(10)}), "found");
    EXPECT_EQ(find(*store, {job_id(30)}), "found");
    for (const std::uint64_t absent : {1U, 12U, 28U, 40U}) EXPECT_EQ(find(*store, {job_id(absent)}), "none") << absent;
    // What one look learned of a gap must not serve another.
    EXPECT_THAT(find(*store, {job_id(12), job_id(28), id}), names(key_of(id)));
    move_record(directory_.path(), job_id(other), key_of(id));
  }
  EXPECT_EQ(find(*open(), {id}), "found");
}

TEST_F(DamagedKey, FirstAndLastAreReportedAsWell) {
  move_record(directory_.path(), job_id(10), key_of(job_id(5)));
  move_record(directory_.path(), job_id(30), key_of(job_id(40)));
  const auto store = open();
  EXPECT_THAT(find(*store, {job_id(10)}), names(key_of(job_id(10))));
  EXPECT_THAT(find(*store, {job_id(30)}), names(key_of(job_id(30))));
  EXPECT_EQ(find(*store, {job_id(50)}), "none");
}

TEST_F(DamagedKey, WholeRowIsReported) {
  move_record(directory_.path(), job_id(30), key_of(job_id(35)));
  move_record(directory_.path(), job_id(20), key_of(job_id(32)));
  move_record(directory_.path(), job_id(10), key_of(job_id(31)));
  const auto store = open();
  for (const std::uint64_t n : {10U, 20U, 30U}) EXPECT_THAT(find(*store, {job_id(n)}), names(key_of(job_id(n)))) << n;
  EXPECT_EQ(find(*store, {job_id(15)}), "none");
}

TEST_F(DamagedKey, RecordOfNobodyKnowsWhomMayBeAnybodys) {
  const std::string key = key_of(job_id(21));
  move_record(directory_.path(), job_id(20), key, kChecksumSize + 2);  // of the outcome, so that no checksum fits
  const auto store = open();
  EXPECT_THAT(find(*store, {job_id(20)}), names(key));
  EXPECT_THAT(find(*store, {job_id(15)}), names(key));
  EXPECT_EQ(find(*store, {job_id(40)}), "none");
}

TEST_F(DamagedKey, DamageBesideTheKeyHidesNoOther) {
  for (std::size_t at = 0; at < 40; ++at) {
    move_record(directory_.path(), job_id(20), key_of(job_id(20)), at);
    const auto store = open();
    EXPECT_THAT(find(*store, {job_id(20)}), names(key_of(job_id(20)))) << at;
    EXPECT_EQ(find(*store, {job_id(15)}), "none") << at;
    EXPECT_EQ(find(*store, {job_id(25)}), "none") << at;
    move_record(directory_.path(), job_id(20), key_of(job_id(20)), at);
  }
}

TEST_F(DamagedKey, NoListPassesOverIt) {
  const std::string key = key_of(job_id(25));
  move_record(directory_.path(), job_id(20), key);
  const auto store = open();
  ListQuery narrow;
  narrow.queue = "other";
  ListQuery failed;
  failed.states = state_bit(JobState::failed);
  ListQuery below;  // where it would be, and is not
  below.below = job_id(22);
  for (const ListQuery& query : {ListQuery(), narrow, failed, below}) EXPECT_THAT(list(*store, query), names(key));
  ListQuery past;
  past.below = job_id(10);
  EXPECT_EQ(list(*store, past), "fine");
}

TEST_F(DamagedKey, ListThatEndsInFrontOfItTells) {
  // By its key it is older than what is asked for.
  std::string key = key_of(job_id(10));
  key[15] = static_cast<char>(key[15] + 1);
  move_record(directory_.path(), job_id(20), key);
  ListQuery query;
  query.since = time_of(job_id(20));
  const auto store = open();
  EXPECT_THAT(list(*store, query), names(key));
}

}  // namespace
}  // namespace rota::store::test
