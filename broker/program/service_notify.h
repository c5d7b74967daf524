#pragma once

#include <string_view>

namespace rota::broker {

// Tells the service manager ("READY=1", "STOPPING=1"): one datagram to $NOTIFY_SOCKET, as sd_notify(3) defines it. Does
// nothing where nobody listens; a failure is nobody's business.
void notify_service_manager(std::string_view state);

}  // namespace rota::broker
