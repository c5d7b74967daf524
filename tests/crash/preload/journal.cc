#include "tests/crash/preload/journal.h"

#include <fcntl.h>

#include <cstdio>
#include <cstdlib>

#include "tests/crash/preload/real_calls.h"

namespace rota::crash {

Journal::Journal(const std::string& path) : path_(path) {
  if (path.empty()) return;
  fd_ = real_open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ >= 0) return;
  std::fprintf(stderr, "librota-faults: %s cannot be written\n", path.c_str());
  std::_Exit(64);
}

void Journal::add(RecordHeader header, std::string_view bytes) {
  if (fd_ < 0) return;
  header.size = bytes.size();
  buffer_.assign(reinterpret_cast<const char*>(&header), sizeof header);
  buffer_.append(bytes);
  if (real_write(fd_, buffer_.data(), buffer_.size()) == static_cast<ssize_t>(buffer_.size())) return;
  std::fprintf(stderr, "librota-faults: %s cannot be written\n", path_.c_str());
  std::abort();
}

}  // namespace rota::crash
