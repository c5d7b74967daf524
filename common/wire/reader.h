#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/code.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/wire/tape.h"

// Typed reading from a tape. Internal to common/wire.
namespace rota::wire {

// Takes values in order. The first failure sticks: from then on every read returns a zero value at once, so that callers
// check ok() once at the end (and per round of a loop). Error sentences read "SUBMIT: item 3: payload of …": the subject,
// the group and the field that were last named. They never repeat bytes of the peer.
class Reader {
 public:
  Reader(std::span<const TapeEntry> entries, std::string_view subject) : entries_(entries), subject_(subject) {}

  [[nodiscard]] bool ok() const { return !failed_; }
  [[nodiscard]] Error take_error() { return std::move(error_); }
  void set_subject(std::string_view subject) { subject_ = subject; }
  void set_field(const char* name) { field_ = name; }
  void set_group(const char* name, std::size_t number) {
    group_ = name;
    number_ = number;
  }
  void clear_group() { group_ = nullptr; }
  // `what` follows the field's name: "is missing", "of 3 bytes is over the limit of 2".
  void fail(Code code, std::string what);
  void fail_over(std::uint64_t size, std::uint64_t most);        // "of 3 is over the limit of 2"
  void fail_over_bytes(std::uint64_t size, std::uint64_t most);  // "of 3 bytes is over the limit of 2"

  // Containers: the count of values, or of pairs. `most` pairs or values, else TOO_LARGE.
  [[nodiscard]] std::uint32_t array(std::size_t most);
  [[nodiscard]] std::uint32_t map(std::size_t most);

  [[nodiscard]] bool next_is_nil() const { return position_ < entries_.size() && next().kind == ValueKind::nil; }
  [[nodiscard]] ValueKind next_kind() const { return position_ < entries_.size() ? next().kind : ValueKind::nil; }
  void skip(std::uint64_t values = 1);
  [[nodiscard]] std::size_t position() const { return position_; }
  void rewind(std::size_t position) {
    if (ok()) position_ = position;
  }

  [[nodiscard]] bool boolean();
  [[nodiscard]] std::uint64_t number(std::uint64_t most = UINT64_MAX);
  [[nodiscard]] std::uint32_t number32(std::uint32_t most = UINT32_MAX) { return static_cast<std::uint32_t>(number(most)); }
  [[nodiscard]] std::int64_t integer(std::int64_t least = INT64_MIN, std::int64_t most = INT64_MAX);
  [[nodiscard]] double real();  // integers too
  [[nodiscard]] std::string_view text(std::size_t most);
  [[nodiscard]] std::string_view clean_text(std::size_t most);  // rota::is_valid_text
  [[nodiscard]] std::string_view bytes(std::size_t most);
  [[nodiscard]] std::string_view bytes_without_nul(std::size_t most);
  [[nodiscard]] Uuid uuid();
  [[nodiscard]] JobId job_id();
  [[nodiscard]] Millis duration();  // 0 … limits::kMaxDuration
  [[nodiscard]] Wall wall();        // 0 or later
  [[nodiscard]] std::string_view queue_name();
  [[nodiscard]] std::string_view type_name();
  [[nodiscard]] std::string_view worker_name();
  [[nodiscard]] Code code();
  [[nodiscard]] JobState job_state();
  [[nodiscard]] Durability durability();

 private:
  [[nodiscard]] const TapeEntry& next() const { return entries_[position_]; }
  [[nodiscard]] const TapeEntry* take(ValueKind kind, const char* wanted);
  [[nodiscard]] std::string_view data(ValueKind kind, const char* wanted, std::size_t most);

  std::span<const TapeEntry> entries_;
  std::size_t position_ = 0;
  bool failed_ = false;
  std::string_view subject_;
  const char* group_ = nullptr;
  std::size_t number_ = 0;
  const char* field_ = nullptr;
  Error error_;
};

// The fields of a positional array. Fields behind those that are read are skipped at the end of the scope: arrays grow.
class Fields {
 public:
  // Takes the array's head, which must have the required fields at least.
  Fields(Reader& reader, const char* name) : reader_(reader) {
    reader_.set_field(name);
    left_ = reader_.array(limits::kMaxElements);
  }
  ~Fields() { reader_.skip(left_); }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  // The reader, standing before the next field; fails if there is none.
  [[nodiscard]] Reader& at(const char* name) {
    reader_.set_field(name);
    if (left_ == 0) {
      reader_.fail(Code::bad_message, "is missing");
    } else {
      --left_;
    }
    return reader_;
  }
  // Whether the next field is there and not nil. A nil is taken.
  [[nodiscard]] bool has(const char* name) {
    if (left_ == 0 || !reader_.ok()) return false;
    reader_.set_field(name);
    --left_;
    if (!reader_.next_is_nil()) return true;
    reader_.skip();
    return false;
  }

 private:
  Reader& reader_;
  std::uint32_t left_ = 0;
};

// Reads an array of at most `most` values into `out`; `read_one(value)` takes one each. A list that was filled before is
// refused: its key is in the map twice. The field must have been named. Memory is taken for values that are there, never
// for a claim: the tape holds them already.
template <typename T, typename ReadOne>
void read_list(Reader& reader, const char* group, std::size_t most, std::vector<T>& out, ReadOne&& read_one) {
  if (!out.empty()) return reader.fail(Code::bad_message, "is there twice");
  const std::uint32_t count = reader.array(most);
  out.reserve(count);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    reader.set_group(group, i);
    read_one(out.emplace_back());
  }
  reader.clear_group();
}

}  // namespace rota::wire
