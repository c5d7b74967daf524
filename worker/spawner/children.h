#pragma once

#include <sys/types.h>

#include <span>

namespace rota::spawner {

// Ends every descendant of this process, whatever session or group it moved to, and returns when none is left. The process
// must be a child subreaper (prctl(2)), so that orphans come back to it.
void end_all_descendants(std::span<const pid_t> groups);

}  // namespace rota::spawner
