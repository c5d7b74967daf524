#include "broker/store/lmdb_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "broker/store/fields.h"
#include "broker/store/lmdb_store.h"
#include "broker/store/meta_pages.h"

namespace rota::store::lmdb {
namespace {

constexpr std::string_view kDamaged = "is damaged";

// Walks every table once, in an order in which each record can be compared with those before it or by one look-up.
class Checker {
 public:
  Checker(Env& env, const Txn& txn, const CheckBounds& bounds, CheckPlace& place)
      : env_(env), txn_(txn), bounds_(bounds), place_(place) {}

  Result<CheckReport> run() {
    if (Status s = open_tables(); !s) return s.error();
    if (Status s = check_meta(); !s) return s.error();
    check_shared();
    check_ends();
    check_leases();
    check_states();
    check_bodies();
    check_finished();
    check_forget();
    check_uses();
    check_numbers();
    check_pages();
    return std::move(report_);
  }

 private:
  // What is wrong with a record; empty: nothing.
  using Wrong = std::string;

  [[nodiscard]] static std::size_t part(Table table) { return static_cast<std::size_t>(table); }
  // Every record was read and understood: what is not in the table, is nowhere.
  [[nodiscard]] bool is_whole(Table table) const { return there_.test(part(table)) && !damaged_.test(part(table)); }

  void note(Table table, std::string_view key, std::string_view wrong) {
    report_.add_damage(record_name(table, key).append(" ").append(wrong));
  }
  void note(Table table, std::string_view wrong) {
    report_.add_damage(std::string("table ").append(table_name(table)).append(" ").append(wrong));
  }

  Status open_tables() {
    for (std::size_t i = 1; i <= kTableCount; ++i) {
      const auto table = static_cast<Table>(i);
      const auto there = env_.open_table(txn_, table);
      if (there && *there) {
        there_.set(i);
        report_.is_read = true;
        report_.tables[i] = {env_.entries(txn_, table), env_.table_bytes(txn_, table)};
      } else {
        note(table, there ? "is missing" : "cannot be opened");
      }
    }
    if (env_.named_tables(txn_) == 0) {
      return Error{
          Code::not_found,
          env_.directory() + "/data.mdb is empty: nothing was ever stored in it; name a broker's directory with --data"};
    }
    return {};
  }

  // Calls `visit(key, record)` for each record of `table`; it returns what is wrong with it.
  template <typename Visit>
  void scan(Table table, Visit visit) {
    if (!there_.test(part(table)) || place_.is_broken) return;
    place_.records = 0;
    place_.part = part(table);
    const auto fail = [&](const std::string& wrong) {
      note(table, wrong);
      damaged_.set(part(table));
    };
    const auto cursor = env_.cursor(txn_, table);
    if (!cursor) return break_off();
    const std::uint64_t counted = report_.tables[part(table)].records;
    std::string_view last;
    std::uint64_t seen = 0;
    MDB_val key{};
    MDB_val value{};
    int rc = 0;
    const std::uint64_t most = bounds_.records[part(table)];
    while (seen < most && (rc = ::mdb_cursor_get(cursor->get(), &key, &value, MDB_NEXT)) == 0) {
      // What follows on a page that is damaged means nothing.
      if (seen > 0 && to_view(key) <= last) return fail("is out of order behind record " + std::to_string(seen));
      if (seen == counted) return fail("has more records than the " + std::to_string(counted) + " that are counted");
      last = to_view(key);
      ++seen;
      if (const Wrong wrong = visit(last, to_view(value)); !wrong.empty()) {
        note(table, last, wrong);
        if (wrong == kDamaged) damaged_.set(part(table));
      }
      if (place_.is_broken) return;
      place_.records = seen;
    }
    if (seen == most) {
      damaged_.set(part(table));
      return;
    }
    if (rc != MDB_NOTFOUND) return break_off();
    if (seen != counted) {
      fail("has " + std::to_string(counted) + " records but only " + std::to_string(seen) + " can be found");
    }
  }
  void break_off() { place_.is_broken = true; }

  // Whether `table` has a record under that key, or cannot tell.
  bool may_have(Table table, std::string_view key) {
    if (!there_.test(part(table)) || bounds_.no_look_ups.test(part(table)) || place_.is_broken) return true;
    const std::size_t from = place_.part.exchange(part(table));
    place_.is_look_up = true;
    MDB_val wanted = to_val(key);
    MDB_val value{};
    const int rc = ::mdb_get(txn_.get(), env_.table(table), &wanted, &value);
    if (rc != 0 && rc != MDB_NOTFOUND) {
      break_off();
      return true;
    }
    place_.part = from;
    place_.is_look_up = false;
    return rc == 0;
  }
  bool may_have(Table table, std::uint64_t number) { return may_have(table, view(number_key(number))); }

  Status check_meta() {
    scan(Table::meta, [&](std::string_view key, std::string_view record) -> Wrong {
      if (!open_record(Table::meta, key, record)) return Wrong(kDamaged);
      return {};
    });
    if (!is_whole(Table::meta)) return {};
    const auto format = read_format(env_, txn_);
    if (format) report_.format = *format;
    if (!format && format.error().code == Code::version) return format.error();
    if (!format) note(Table::meta, "has no format");
    if (const auto broker = read_broker_id(env_, txn_)) {
      report_.broker_id = *broker;
    } else {
      note(Table::meta, "has no broker id");
    }
    if (const auto numbers = read_numbers(env_, txn_)) {
      numbers_ = *numbers;
      report_.epoch = numbers_->epoch;
    } else {
      note(Table::meta, "has no numbers to go on with");
    }
    if (!read_pauses(env_, txn_, [this](std::string_view) { ++report_.paused_queues; })) {
      note(Table::meta, "has a damaged list of paused queues");
    }
    return {};
  }

  void check_shared() {
    scan(Table::shared, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto number = key_number(key);
      if (number) shared_.try_emplace(*number, 0);
      const auto payload = open_record(Table::shared, key, record);
      queue::SharedRecord shared;
      if (!number || !payload || !decode_shared(*payload, shared)) return Wrong(kDamaged);
      next_.next_shared = *number + 1;
      return {};
    });
  }

  void check_ends() {
    scan(Table::outcomes, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto number = key_number(key);
      const auto payload = open_record(Table::outcomes, key, record);
      StoredEnd end;
      if (!number || !payload || !decode_end(*payload, end)) return Wrong(kDamaged);
      next_.next_finish = *number + 1;
      ended_.insert(end.outcome.sequence);
      if (end.kind == EndKind::tombstone) return {};  // its job may be gone already
      ++report_.finished_jobs;
      if (may_have(Table::bodies, end.outcome.sequence)) return {};
      return "ends job record " + std::to_string(end.outcome.sequence) + ", which is not in bodies";
    });
  }

  void check_leases() {
    scan(Table::leases, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto number = key_number(key);
      const auto payload = open_record(Table::leases, key, record);
      queue::LeaseRecord lease;
      if (!number || !payload || !decode_lease(*payload, lease)) return Wrong(kDamaged);
      next_.next_dispatch = *number + 1;
      if (ended_.contains(lease.sequence) || may_have(Table::bodies, lease.sequence)) return {};
      return "hands out job record " + std::to_string(lease.sequence) + ", which is not in bodies";
    });
  }

  void check_states() {
    scan(Table::state, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto number = key_number(key);
      const auto payload = open_record(Table::state, key, record);
      queue::StateRecord state;
      if (!number || !payload || !decode_state(*payload, state)) return Wrong(kDamaged);
      if (ended_.contains(*number) || may_have(Table::bodies, key)) return {};
      return "is of a job that is not in bodies";
    });
  }

  // Counts who names a shared part.
  Wrong use_shared(const StoredJob& stored) {
    if (stored.shared_number == 0) {
      queue::SharedRecord shared;
      return decode_shared(stored.shared, shared) ? Wrong() : Wrong(kDamaged);
    }
    const auto named = shared_.find(stored.shared_number);
    if (named != shared_.end()) {
      ++named->second;
    } else if (is_whole(Table::shared)) {
      return "names shared record " + std::to_string(stored.shared_number) + ", which does not exist";
    }
    return {};
  }

  void check_bodies() {
    scan(Table::bodies, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto number = key_number(key);
      if (number && !ended_.contains(*number)) ++report_.live_jobs;
      StoredJob stored;
      if (!number || *number == 0 || !open_job(key, record, true, stored)) return Wrong(kDamaged);
      next_.next_sequence = *number + 1;
      return use_shared(stored);
    });
  }

  void check_finished() {
    scan(Table::finished, [&](std::string_view key, std::string_view record) -> Wrong {
      ++report_.finished_jobs;
      StoredFinished finished;
      if (!open_finished(key, record, true, finished) || view(finished.stored.job.id) != key) return Wrong(kDamaged);
      if (Wrong wrong = use_shared(finished.stored); !wrong.empty()) return wrong;
      const ForgetKey forget = forget_key(finished.end.outcome.forget_at, finished.stored.job.id);
      if (!may_have(Table::forget, {forget.data(), forget.size()})) return "is not in forget: it would stay for ever";
      ++filed_;
      return {};
    });
  }

  void check_forget() {
    // When each finished job was found in an index of the same length, no entry of it can be without a job.
    const bool matches = filed_ == report_.tables[part(Table::forget)].records;
    scan(Table::forget, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto entry = decode_forget_key(key);
      if (!entry || !open_record(Table::forget, key, record)) return Wrong(kDamaged);
      if (matches || may_have(Table::finished, view(entry->id))) return {};
      return "names a job that is not in finished";
    });
  }

  void check_uses() {
    const bool counted = is_whole(Table::bodies) && is_whole(Table::finished);
    std::uint64_t found = 0;
    scan(Table::uses, [&](std::string_view key, std::string_view record) -> Wrong {
      const auto number = key_number(key);
      const auto payload = open_record(Table::uses, key, record);
      if (!number || !payload) return Wrong(kDamaged);
      FieldReader read(*payload);
      const std::uint64_t uses = read.varint();
      if (!read.ok()) return Wrong(kDamaged);
      const auto named = shared_.find(*number);
      if (named == shared_.end())
        return may_have(Table::shared, key) ? Wrong() : "counts a shared record that does not exist";
      ++found;
      if (!counted || named->second == uses) return {};
      return "counts " + std::to_string(uses) + " jobs, but " + std::to_string(named->second) + " name that shared record";
    });
    if (!is_whole(Table::uses) || found == shared_.size()) return;
    for (const auto& [number, jobs] : shared_) {
      if (!may_have(Table::uses, number)) note(Table::shared, view(number_key(number)), "is not counted in uses");
    }
  }

  // A number that is given again would make two records one.
  void check_numbers() {
    if (!numbers_) return;
    const std::pair<std::string_view, std::pair<std::uint64_t, std::uint64_t>> all[] = {
        {"sequence", {numbers_->next_sequence, next_.next_sequence}},
        {"dispatch number", {numbers_->next_dispatch, next_.next_dispatch}},
        {"finish number", {numbers_->next_finish, next_.next_finish}},
        {"shared number", {numbers_->next_shared, next_.next_shared}},
    };
    for (const auto& [name, values] : all) {
      if (values.first >= values.second) continue;
      note(Table::meta, "numbers",
           "gives " + std::string(name) + " " + std::to_string(values.first) + " again, " +
               std::to_string(values.second - 1) + " is in use");
    }
  }

  void check_pages() {
    if (place_.is_broken) return;
    const Pages pages = env_.pages();
    struct stat file {};
    if (::fstat(env_.fd(), &file) == 0) report_.file_bytes = static_cast<std::uint64_t>(file.st_size);
    report_.used_bytes = pages.end * pages.size;
    if (bounds_.records[kFreePages] == 0) return;
    place_.records = 0;
    place_.part = kFreePages;
    const auto free = env_.free_pages(txn_);
    if (!free) return break_off();
    report_.used_bytes = (pages.end - std::min(pages.end, *free)) * pages.size;
    if (there_.count() != kTableCount || !bounds_.are_none()) return;
    const std::uint64_t known = env_.table_pages(txn_) + *free;
    if (known == pages.end) return;
    report_.add_damage("the file has " + std::to_string(pages.end) + " pages, but tables and free pages are " +
                       std::to_string(known));
  }

  Env& env_;
  const Txn& txn_;
  const CheckBounds& bounds_;
  CheckPlace& place_;
  CheckReport report_;
  CheckParts there_;
  CheckParts damaged_;
  std::optional<Numbers> numbers_;
  Numbers next_;  // one above every number found
  absl::flat_hash_set<queue::Sequence> ended_;
  absl::flat_hash_map<std::uint64_t, std::uint64_t> shared_;  // number → jobs that name it
  std::uint64_t filed_ = 0;                                   // finished jobs that are in forget
};

}  // namespace

Result<CheckReport> check_records(const std::string& directory, const CheckBounds& bounds, CheckPlace& place) {
  auto env = Env::open_to_read(directory, true);
  if (!env) {
    if (env.error().code == Code::forbidden) return env.error();
    CheckReport report;
    report.add_damage(env.error().message);
    return report;
  }
  const Pages pages = (*env)->pages();
  if (std::string cut = what_is_cut((*env)->fd(), pages.bytes()); !cut.empty()) {
    CheckReport report;
    report.add_damage(std::move(cut));
    return report;
  }
  auto txn = (*env)->begin_read();
  if (!txn) return txn.error();
  return Checker(**env, *txn, bounds, place).run();
}

}  // namespace rota::store::lmdb
