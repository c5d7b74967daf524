#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace rota::crash {

// One record: this header, little-endian, then `size` bytes. Each is written at once with write(2), before what it is about
// is carried out (syncs: after), so a journal is whole up to the moment of a SIGKILL. The reader is
// tests/crash/power_cut.py.
struct RecordHeader {
  enum class Kind : std::uint32_t {
    file = 1,         // names file number `file`: bytes are its path; value: 1 if it was made just now
    write = 2,        // [offset, offset + length) changes; bytes are what was there; value: the file's size before
    resize = 3,       // the file gets the size `offset`; bytes are what is cut off; value: its size before
    sync = 4,         // the whole file is on disk
    sync_range = 5,   // [offset, offset + length) is
    make = 6,         // a directory is made: bytes are its path
    rename = 7,       // bytes: from, NUL, to; value: number of the kept file that stood there, 0: none
    unlink = 8,       // bytes: path; value: number of the kept file
    sync_names = 9,   // the entries of a directory are on disk: bytes are its path
    fault = 10,       // a call was made to fail: bytes say which
    sync_begin = 11,  // a sync of the file is asked for
  };
  Kind kind = Kind::file;
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::int64_t value = 0;
  std::uint64_t size = 0;
};
static_assert(sizeof(RecordHeader) == 40);

// Appends records to a file; does nothing without one. Not thread-safe.
class Journal {
 public:
  // An empty path: no journal.
  explicit Journal(const std::string& path);
  [[nodiscard]] bool is_kept() const { return fd_ >= 0; }
  void add(RecordHeader header, std::string_view bytes);
  // Where the n-th file that was unlinked or replaced lives on: beside the journal.
  [[nodiscard]] std::string kept_path(std::int64_t number) const { return path_ + ".kept." + std::to_string(number); }
  [[nodiscard]] std::int64_t next_kept() { return ++kept_; }

 private:
  std::string path_;
  int fd_ = -1;
  std::int64_t kept_ = 0;
  std::string buffer_;
};

}  // namespace rota::crash
