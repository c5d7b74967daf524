#pragma once

namespace rota::sim {

// The commit that this program was built from, "-dirty" behind it if the tree had changes: a replay needs the same.
// commit.cmake writes its source at every build.
[[nodiscard]] const char* built_commit();

}  // namespace rota::sim
