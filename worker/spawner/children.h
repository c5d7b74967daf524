#pragma once

#include <sys/types.h>

#include <span>

namespace rota::spawner {

// Ends every descendant of this process, whatever session or group it moved to, and returns when none is left that this
// process may kill, or after kDyingPatience as end_session() does. The process must be a child subreaper (prctl(2)), so
// that orphans come back to it.
void end_all_descendants(std::span<const pid_t> groups);

// Ends every process of a session but its leader, which must be dead and not reaped: so nobody else can have the number.
// Returns when none is left that this process may kill, or after kDyingPatience: what was killed and is still there is held
// by the kernel, and nothing of its program runs again. For whoever is no parent of these processes. Needs /proc.
void end_session(pid_t session);

}  // namespace rota::spawner
