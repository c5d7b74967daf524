#include "common/net/connections.h"

#include <dirent.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

namespace rota::net {
namespace {

constexpr int kEstablished = 1;  // TCP_ESTABLISHED, which only the C library's header names

std::uint16_t local_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  return 0;
}

}  // namespace

std::string peer_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return std::string(reinterpret_cast<const char*>(&address), size);
}

void each_connection(std::uint16_t port, const std::function<void(const Connection&)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory.get())) {
    const int fd = std::atoi(entry->d_name);
    tcp_info info{};
    socklen_t size = sizeof info;
    if (fd <= 2 || ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_state != kEstablished ||
        local_port(fd) != port) {
      continue;
    }
    int unread = 0;
    if (::ioctl(fd, SIOCINQ, &unread) != 0 || unread < 0) unread = 0;
    const auto waiting = static_cast<std::uint64_t>(unread);
    Connection connection{fd, peer_of(fd), info.tcpi_bytes_received};
    connection.received -= waiting < connection.received ? waiting : connection.received;
    visit(connection);
  }
}

void cut(const Connection& connection) {
  if (peer_of(connection.fd) == connection.peer) (void)::shutdown(connection.fd, SHUT_RDWR);
}

}  // namespace rota::net
