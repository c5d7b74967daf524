#include "broker/store/check.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "broker/store/child_process.h"
#include "broker/store/directory_lock.h"
#include "broker/store/fields.h"
#include "broker/store/lmdb_check.h"
#include "broker/store/meta_pages.h"
#include "broker/store/page_walk.h"
#include "broker/store/store_files.h"

namespace rota::store {
namespace {

using lmdb::CheckBounds;
using lmdb::CheckPlace;

// What the child tells its parent.
std::string encode(const Result<CheckReport>& result) {
  std::string out;
  FieldWriter write(out);
  write.byte(result.ok() ? 1 : 0);
  if (!result) {
    write.byte(static_cast<std::uint8_t>(result.error().code));
    write.sized(result.error().message);
    return out;
  }
  const CheckReport& report = *result;
  write.byte(report.is_read ? 1 : 0);
  write.uuid(report.broker_id);
  for (const std::uint64_t number : {report.format, report.epoch, report.live_jobs, report.finished_jobs,
                                     report.paused_queues, report.file_bytes, report.used_bytes, report.damages}) {
    write.varint(number);
  }
  for (const TableReport& table : report.tables) {
    write.varint(table.records);
    write.varint(table.bytes);
  }
  write.varint(report.listed.size());
  for (const std::string& damage : report.listed) write.sized(damage);
  return out;
}

// Nothing: the child did not come to its end.
std::optional<Result<CheckReport>> decode(std::string_view bytes) {
  FieldReader read(bytes);
  if (read.byte() == 0) {
    const auto code = code_from_number(read.byte());
    const std::string_view message = read.sized();
    if (!read.ok() || !code) return std::nullopt;
    return Error{*code, std::string(message)};
  }
  CheckReport report;
  report.is_read = read.byte() != 0;
  report.broker_id = read.uuid();
  for (std::uint64_t* number : {&report.format, &report.epoch, &report.live_jobs, &report.finished_jobs,
                                &report.paused_queues, &report.file_bytes, &report.used_bytes, &report.damages}) {
    *number = read.varint();
  }
  for (TableReport& table : report.tables) table = {read.varint(), read.varint()};
  const std::uint64_t listed = read.varint();
  for (std::uint64_t i = 0; i < listed && read.ok(); ++i) report.listed.emplace_back(read.sized());
  if (!read.ok()) return std::nullopt;
  return report;
}

Error system_error(std::string_view doing) {
  return {Code::internal, std::string("cannot ").append(doing).append(": ").append(std::strerror(errno))};
}

// Nothing: the child crashed, and `place` tells where.
Result<std::optional<Result<CheckReport>>> check_in_child(const std::string& directory, const CheckBounds& bounds,
                                                          CheckPlace& place) {
  const auto end = run_in_child([&]() -> std::optional<std::string> {
    std::string told = encode(lmdb::check_records(directory, bounds, place));
    if (place.is_broken) return std::nullopt;
    return told;
  });
  if (!end) return end.error();
  if (!end->told && !end->crashed()) {
    return Error{Code::internal, "the check was ended by signal " + std::to_string(end->signal) + "; run it again"};
  }
  if (!end->told) return std::optional<Result<CheckReport>>();
  return decode(*end->told);
}

// Takes note of what ended a reading, and keeps the next one from going there. False: it was told already, or nothing can
// be read at all.
bool note_break(const CheckPlace& place, CheckBounds& bounds, CheckReport& breaks) {
  const std::size_t part = place.part;
  if (part == lmdb::kOpening) {
    breaks.add_damage("data.mdb has damaged pages: its tables cannot be found");
    return false;
  }
  if (part == lmdb::kFreePages) {
    breaks.add_damage("the list of free pages has a damaged page");
    return std::exchange(bounds.records[part], 0) != 0;
  }
  std::string text = "table " + std::string(table_name(static_cast<Table>(part))) + " has a damaged page";
  if (place.is_look_up) {
    if (bounds.records[part] == UINT64_MAX) breaks.add_damage(std::move(text));
    if (bounds.no_look_ups.test(part)) return false;
    bounds.no_look_ups.set(part);
    return true;
  }
  breaks.add_damage(text.append(" behind record ").append(std::to_string(place.records)));
  return std::exchange(bounds.records[part], place.records) == UINT64_MAX;
}

// Puts `breaks` in front of what `report` says, once each.
void add_before(const CheckReport& breaks, CheckReport& report) {
  const auto is_known = [&](const std::string& damage) {
    return std::find(breaks.listed.begin(), breaks.listed.end(), damage) != breaks.listed.end();
  };
  report.damages += breaks.damages - std::erase_if(report.listed, is_known);
  report.listed.insert(report.listed.begin(), breaks.listed.begin(), breaks.listed.end());
}

// Memory that a child writes and its parent reads.
struct Unmap {
  void operator()(CheckPlace* place) const { ::munmap(place, sizeof *place); }
};
std::unique_ptr<CheckPlace, Unmap> make_place() {
  void* const memory = ::mmap(nullptr, sizeof(CheckPlace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  return std::unique_ptr<CheckPlace, Unmap>(new (memory) CheckPlace);
}

}  // namespace

void CheckReport::add_damage(std::string what) {
  ++damages;
  if (listed.size() < limits::kMaxListedDamages) listed.push_back(std::move(what));
}

Result<CheckReport> check_lmdb(const std::string& directory) {
  if (Status s = must_hold_store(directory); !s) return s.error();
  const auto lock = DirectoryLock::take_existing(directory);
  if (!lock) return lock.error();
  CheckReport breaks;
  if (const Status roots = lmdb::check_meta_pages(directory); !roots) {
    if (roots.error().code != Code::internal) return roots.error();
    breaks.add_damage("data.mdb is damaged in its first pages, or no store");
    return breaks;
  }
  if (const Status last = lmdb::check_lock_file(directory); !last) breaks.add_damage(last.error().message);
  const auto pages = lmdb::walk_file(directory, limits::kMaxListedDamages);
  if (!pages) return pages.error();
  for (const std::string& wrong : *pages) breaks.add_damage(wrong);
  const auto place = make_place();
  if (place == nullptr) return system_error("get memory");
  // What cannot be walked is left out the next time, so that the damage elsewhere is found too.
  CheckBounds bounds;
  for (;;) {
    place->part = lmdb::kOpening;
    place->is_look_up = false;
    place->is_broken = false;
    place->records = 0;
    auto checked = check_in_child(directory, bounds, *place);
    if (!checked) return checked.error();
    if (*checked) {
      Result<CheckReport> result = std::move(**checked);
      if (!result) return result.error();
      add_before(breaks, *result);
      return result;
    }
    if (!note_break(*place, bounds, breaks)) return breaks;
  }
}

}  // namespace rota::store
