#include "broker/store/meta_pages.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace rota::store::lmdb {
namespace {

constexpr std::size_t kMagicAt = 16;  // behind the page header
constexpr std::size_t kTxnAt = 144;
constexpr std::size_t kMetaSize = 152;
constexpr std::uint32_t kMagic = 0xBEEFC0DE;

template <typename T>
T read_at(const char* bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes + offset, sizeof value);
  return value;
}

bool are_good(int fd) {
  char pages[2][kMetaSize];
  const auto page_size = static_cast<off_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < 2; ++i) {
    if (::pread(fd, pages[i], kMetaSize, i * page_size) != static_cast<ssize_t>(kMetaSize)) return false;
    if (read_at<std::uint32_t>(pages[i], kMagicAt) != kMagic) return false;
  }
  const auto first = read_at<std::uint64_t>(pages[0], kTxnAt);
  const auto second = read_at<std::uint64_t>(pages[1], kTxnAt);
  if (first == 0 && second == 0) return true;  // nothing was ever committed
  return first % 2 == 0 && second % 2 == 1 && (first + 1 == second || second + 1 == first);
}

}  // namespace

Status check_meta_pages(const std::string& directory) {
  const std::string path = directory + "/data.mdb";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    return Error{Code::forbidden, path + " cannot be read: " + std::strerror(errno) + "; run this as the broker's user"};
  }
  const off_t size = ::lseek(fd, 0, SEEK_END);
  const bool good = size == 0 || are_good(fd);
  ::close(fd);
  if (good) return {};
  return Error{Code::internal, path + " is damaged in its first pages, or no store; restore it from a backup"};
}

std::string what_is_cut(int fd, std::uint64_t needed_bytes) {
  struct stat file {};
  if (::fstat(fd, &file) != 0 || static_cast<std::uint64_t>(file.st_size) >= needed_bytes) return {};
  return "data.mdb was cut: it has " + std::to_string(file.st_size) + " bytes of at least " + std::to_string(needed_bytes);
}

}  // namespace rota::store::lmdb
