#pragma once

#include <lmdb.h>
#include <sys/types.h>

#include <array>

namespace rota::store::lmdb {

// The first page that a commit replaces, as it was before. LMDB keeps the heads of the last two commits in the first two
// pages and writes the older one last of all. If that write fails, it takes back only half of it: the older number, but the
// roots of the commit that failed. Nobody can tell this from a file that has lost a commit, and the next start has to
// refuse it. So the page is put back as it was.
class ReplacedHead {
 public:
  // Before the commit of `txn`, which writes.
  explicit ReplacedHead(MDB_txn* txn);
  // After it failed. Not synced: what is on the disk of it, nobody knows then.
  void put_back() const;

 private:
  static constexpr std::size_t kSector = 512;  // holds the head; a disk writes it whole or not at all
  int fd_ = -1;                                // -1: it could not be read, and stays as it is
  off_t at_ = 0;
  std::array<char, kSector> bytes_{};
};

}  // namespace rota::store::lmdb
