#include "broker/store/replaced_head.h"

#include <unistd.h>

namespace rota::store::lmdb {

ReplacedHead::ReplacedHead(MDB_txn* txn) {
  MDB_env* const env = ::mdb_txn_env(txn);
  MDB_stat stat{};
  mdb_filehandle_t fd = -1;
  if (::mdb_env_stat(env, &stat) != 0 || ::mdb_env_get_fd(env, &fd) != 0) return;
  // Even commits have the first page, odd ones the second.
  at_ = static_cast<off_t>(::mdb_txn_id(txn) % 2 * stat.ms_psize);
  if (::pread(fd, bytes_.data(), bytes_.size(), at_) == static_cast<ssize_t>(bytes_.size())) fd_ = fd;
}

void ReplacedHead::put_back() const {
  if (fd_ < 0) return;
  std::array<char, kSector> now{};
  const bool is_same = ::pread(fd_, now.data(), now.size(), at_) == static_cast<ssize_t>(now.size()) && now == bytes_;
  // If that fails as well, the next start refuses the file: nothing is lost by it.
  if (!is_same) [[maybe_unused]]
    const ssize_t written = ::pwrite(fd_, bytes_.data(), bytes_.size(), at_);
}

}  // namespace rota::store::lmdb
