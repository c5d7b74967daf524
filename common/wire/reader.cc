#include "common/wire/reader.h"

#include <algorithm>
#include <cstring>

#include "common/base/names.h"

namespace rota::wire {

void Reader::fail(Code code, std::string what) {
  if (failed_) return;
  failed_ = true;
  position_ = entries_.size();
  error_.code = code;
  error_.message = subject_;
  if (group_ != nullptr) {
    error_.message += ": ";
    error_.message += group_;
    error_.message += ' ';
    error_.message += std::to_string(number_);
  }
  error_.message += ": ";
  if (field_ != nullptr) {
    error_.message += field_;
    error_.message += ' ';
  }
  error_.message += what;
}

void Reader::fail_over(std::uint64_t size, std::uint64_t most) {
  fail(Code::too_large, "of " + std::to_string(size) + " is over the limit of " + std::to_string(most));
}

void Reader::fail_over_bytes(std::uint64_t size, std::uint64_t most) {
  fail(Code::too_large, "of " + std::to_string(size) + " bytes is over the limit of " + std::to_string(most));
}

const TapeEntry* Reader::take(ValueKind kind, const char* wanted) {
  if (failed_) return nullptr;
  if (position_ >= entries_.size()) {
    fail(Code::bad_message, "is missing");
    return nullptr;
  }
  const TapeEntry& entry = next();
  if (entry.kind != kind) {
    fail(Code::bad_message, std::string("must be ") + wanted);
    return nullptr;
  }
  ++position_;
  return &entry;
}

std::uint32_t Reader::array(std::size_t most) {
  const TapeEntry* entry = take(ValueKind::array, "an array");
  if (entry == nullptr) return 0;
  if (entry->size > most) {
    fail(Code::too_large, "has " + std::to_string(entry->size) + " entries, over the limit of " + std::to_string(most));
    return 0;
  }
  return entry->size;
}

std::uint32_t Reader::map(std::size_t most) {
  const TapeEntry* entry = take(ValueKind::map, "a map");
  if (entry == nullptr) return 0;
  if (entry->size > most) {
    fail(Code::too_large, "has " + std::to_string(entry->size) + " entries, over the limit of " + std::to_string(most));
    return 0;
  }
  return entry->size;
}

void Reader::skip(std::uint64_t values) {
  while (values > 0 && position_ < entries_.size()) {
    const TapeEntry& entry = entries_[position_++];
    --values;
    if (entry.kind == ValueKind::array) values += entry.size;
    if (entry.kind == ValueKind::map) values += std::uint64_t{entry.size} * 2;
  }
}

bool Reader::boolean() {
  const TapeEntry* entry = take(ValueKind::boolean, "a boolean");
  return entry != nullptr && entry->number != 0;
}

std::uint64_t Reader::number(std::uint64_t most) {
  if (next_kind() == ValueKind::negative) {
    fail(Code::bad_message, "is negative");
    return 0;
  }
  const TapeEntry* entry = take(ValueKind::number, "an integer");
  if (entry == nullptr) return 0;
  if (entry->number > most) {
    fail_over(entry->number, most);
    return 0;
  }
  return entry->number;
}

std::int64_t Reader::integer(std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  if (next_kind() == ValueKind::negative) {
    value = next().negative;
    ++position_;
  } else {
    const TapeEntry* entry = take(ValueKind::number, "an integer");
    if (entry == nullptr) return 0;
    if (entry->number > static_cast<std::uint64_t>(INT64_MAX)) {
      fail_over(entry->number, static_cast<std::uint64_t>(std::max<std::int64_t>(most, 0)));
      return 0;
    }
    value = static_cast<std::int64_t>(entry->number);
  }
  if (value < least || value > most) {
    fail(Code::bad_message,
         "of " + std::to_string(value) + " is not within " + std::to_string(least) + " and " + std::to_string(most));
    return 0;
  }
  return value;
}

double Reader::real() {
  if (next_kind() == ValueKind::number || next_kind() == ValueKind::negative) return static_cast<double>(integer());
  const TapeEntry* entry = take(ValueKind::real, "a number");
  return entry == nullptr ? 0 : entry->real;
}

std::string_view Reader::data(ValueKind kind, const char* wanted, std::size_t most) {
  const TapeEntry* entry = take(kind, wanted);
  if (entry == nullptr) return {};
  if (entry->size > most) {
    fail_over_bytes(entry->size, most);
    return {};
  }
  return {entry->data, entry->size};
}

std::string_view Reader::text(std::size_t most) { return data(ValueKind::text, "a string", most); }

std::string_view Reader::clean_text(std::size_t most) {
  const std::string_view value = text(most);
  if (!is_valid_text(value, most)) fail(Code::bad_message, "holds control characters or is not UTF-8");
  return value;
}

std::string_view Reader::bytes(std::size_t most) { return data(ValueKind::bytes, "a bin", most); }

std::string_view Reader::bytes_without_nul(std::size_t most) {
  const std::string_view value = bytes(most);
  if (!value.empty() && std::memchr(value.data(), '\0', value.size()) != nullptr) {
    fail(Code::bad_message, "holds a NUL byte, which no command can be given");
  }
  return value;
}

Uuid Reader::uuid() {
  Uuid id;
  const std::string_view value = data(ValueKind::bytes, "a bin of 16 bytes", SIZE_MAX);
  if (!ok()) return id;
  if (value.size() != id.bytes.size()) {
    fail(Code::bad_message, "must be a bin of 16 bytes");
    return id;
  }
  std::memcpy(id.bytes.data(), value.data(), id.bytes.size());
  return id;
}

JobId Reader::job_id() {
  const JobId id = uuid();
  if (ok() && !is_job_id(id)) fail(Code::bad_message, "is not a UUIDv7");
  return id;
}

Millis Reader::duration() {
  return Millis{static_cast<std::int64_t>(number(static_cast<std::uint64_t>(limits::kMaxDuration.count())))};
}

Wall Reader::wall() { return Wall{static_cast<std::int64_t>(number(static_cast<std::uint64_t>(INT64_MAX)))}; }

std::string_view Reader::queue_name() {
  const std::string_view name = text(SIZE_MAX);
  if (ok() && !is_valid_queue_name(name)) fail(Code::bad_message, "must be 1 to 64 of A-Z a-z 0-9 . _ -");
  return name;
}

std::string_view Reader::type_name() {
  const std::string_view name = text(SIZE_MAX);
  if (ok() && !is_valid_type_name(name)) fail(Code::bad_message, "must be 1 to 64 of A-Z a-z 0-9 . _ -");
  return name;
}

std::string_view Reader::worker_name() {
  const std::string_view name = text(SIZE_MAX);
  if (ok() && !is_valid_worker_name(name)) {
    fail(Code::bad_message, "must be 1 to 128 printable ASCII characters without spaces");
  }
  return name;
}

Code Reader::code() {
  const std::uint64_t value = number();
  const auto code = code_from_number(value);
  if (!code) fail(Code::bad_message, "of " + std::to_string(value) + " is not a code of this protocol");
  return code.value_or(Code::internal);
}

JobState Reader::job_state() {
  const std::uint64_t value = number();
  const auto state = job_state_from_number(value);
  if (!state) fail(Code::bad_message, "of " + std::to_string(value) + " is not a job state");
  return state.value_or(JobState::ready);
}

Durability Reader::durability() {
  const std::uint64_t value = number();
  if (value != static_cast<std::uint64_t>(Durability::fsync) && value != static_cast<std::uint64_t>(Durability::memory)) {
    fail(Code::bad_message, "of " + std::to_string(value) + " is not known: 0 is fsync, 2 is memory");
  }
  return static_cast<Durability>(value & 3U);
}

}  // namespace rota::wire
