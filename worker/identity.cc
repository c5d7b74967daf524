#include "worker/identity.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "common/base/entropy.h"
#include "common/base/limits.h"
#include "common/base/uuid.h"

namespace rota::worker {
namespace {

// proc(5): field 22 of /proc/self/stat, in clock ticks since boot. The second field may hold spaces and parentheses.
std::uint64_t start_time_of_self() {
  std::ifstream file{"/proc/self/stat"};
  std::string line;
  std::getline(file, line);
  const std::size_t after_name = line.rfind(')');
  if (after_name == std::string::npos) return 0;
  std::istringstream fields{line.substr(after_name + 1)};
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  std::uint64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

std::string host_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') return "unknown";
  return host.data();
}

}  // namespace

std::string default_name() {
  std::array<char, 8> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "%06llx", static_cast<unsigned long long>(random_u64() & 0xFFFFFFU));
  return host_name().substr(0, limits::kMaxWorkerName - suffix.size()) + "-" + suffix.data();
}

Identity identify_process() {
  Identity identity;
  identity.session = random_uuid();
  identity.host = host_name();
  std::ifstream boot{"/proc/sys/kernel/random/boot_id"};
  std::getline(boot, identity.boot_id);
  identity.pid = static_cast<std::uint64_t>(getpid());
  identity.start_time = start_time_of_self();
  return identity;
}

}  // namespace rota::worker
