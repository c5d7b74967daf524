#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <absl/container/inlined_vector.h>

#include "common/base/result.h"

// A frame's msgpack values as a flat list, so that the typed readers never meet msgpack. Internal to common/wire.
namespace rota::wire {

enum class ValueKind : std::uint8_t { nil, boolean, number, negative, real, text, bytes, array, map };

// One value. A container is followed by its values in order: `size` of an array, twice `size` of a map.
struct TapeEntry {
  ValueKind kind = ValueKind::nil;
  std::uint32_t size = 0;  // text, bytes: length; array: values; map: pairs
  union {
    std::uint64_t number = 0;  // number; boolean as 0 or 1
    std::int64_t negative;     // below zero
    double real;
    const char* data;  // into the frame; null where size is 0
  };
};

// Keeps its storage from one parse to the next. One thread.
class Tape {
 public:
  // A stored report or body is read from a tape of its own, once or more for every job: these few values allocate nothing.
  using Entries = absl::InlinedVector<TapeEntry, 16>;

  // Reads the one msgpack value that `frame` must consist of. Errors: BAD_MESSAGE (not msgpack, cut off, trailing bytes, an
  // ext value), TOO_LARGE (nested deeper than limits::kMaxNesting, more values than limits::kMaxElements). After an error
  // entries() has what was read before it. A claimed count or length reserves nothing.
  [[nodiscard]] Status parse(std::string_view frame);
  [[nodiscard]] std::span<const TapeEntry> entries() const { return entries_; }

 private:
  Entries entries_;
};

}  // namespace rota::wire
