#include "broker/store/full_disk.h"

#include <fcntl.h>
#include <sys/quota.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

#include "common/base/limits.h"

namespace rota::store {
namespace {

// What a file system keeps for its own, or rounds up, below which a failed write found no room.
constexpr std::uint64_t kNoRoom = limits::MiB;

bool is_quota_used_up(int fd, int type, unsigned id) {
  struct dqblk told {};
  // No wrapper in the C library; kernels before 5.14 and file systems without quotas answer with an error.
  if (::syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, type), id, &told) != 0) return false;
  constexpr std::uint64_t kBlock = 1024;  // of limits, whatever the file system's
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  return is_used_up({told.dqb_curspace, told.dqb_bhardlimit * kBlock, told.dqb_bsoftlimit * kBlock, told.dqb_btime},
                    kNoRoom, now) ||
         is_used_up({told.dqb_curinodes, told.dqb_ihardlimit, told.dqb_isoftlimit, told.dqb_itime}, 1, now);
}

}  // namespace

bool is_used_up(const Quota& quota, std::uint64_t room, std::uint64_t now) {
  if (quota.hard != 0 && quota.used + room > quota.hard) return true;
  return quota.soft != 0 && quota.used >= quota.soft && quota.soft_ends != 0 && quota.soft_ends <= now;
}

bool is_disk_full(const std::string& directory) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) == 0 && disk.f_blocks != 0 &&
      (static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < kNoRoom || disk.f_favail == 0)) {
    return true;
  }
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_used_up = is_quota_used_up(fd, USRQUOTA, ::geteuid()) || is_quota_used_up(fd, GRPQUOTA, ::getegid());
  ::close(fd);
  return is_used_up;
}

}  // namespace rota::store
