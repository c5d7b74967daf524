#include "broker/store/meta_pages.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

namespace rota::store::lmdb {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// The first page, or the second.
std::optional<MetaHeader> read_meta(int fd, std::uint64_t number) {
  char bytes[kMetaSize];
  if (::pread(fd, bytes, kMetaSize, static_cast<off_t>(number * page_size())) != static_cast<ssize_t>(kMetaSize)) {
    return std::nullopt;
  }
  return MetaHeader({bytes, kMetaSize});
}

bool are_good(int fd) {
  const auto first = read_meta(fd, 0);
  const auto second = read_meta(fd, 1);
  if (!first || !second || first->magic != kMagic || second->magic != kMagic) return false;
  if (!is_of_another_version(fd) && (!is_meta_page(*first, 0, page_size()) || !is_meta_page(*second, 1, page_size()))) {
    return false;
  }
  if (first->txn == 0 && second->txn == 0) return true;  // nothing was ever committed
  return first->txn % 2 == 0 && second->txn % 2 == 1 && (first->txn + 1 == second->txn || second->txn + 1 == first->txn);
}

}  // namespace

bool is_meta_page(const MetaHeader& meta, std::uint64_t number, std::size_t page_size) {
  return meta.magic == kMagic && meta.version == kLayoutVersion && meta.page.number == number &&
         meta.page.flags == kMetaPage && meta.page_size == page_size;
}

bool is_of_another_version(int fd) {
  for (const std::uint64_t number : {0U, 1U}) {
    const auto meta = read_meta(fd, number);
    if (meta && meta->magic == kMagic && meta->version != kLayoutVersion) return true;
  }
  return false;
}

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
