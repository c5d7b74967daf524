#pragma once

#include <cstddef>
#include <cstdint>

namespace rota {

// Fills `size` bytes at `data` from getrandom(2). Stops the process if the kernel cannot give any.
void fill_random(void* data, std::size_t size);
[[nodiscard]] std::uint64_t random_u64();

}  // namespace rota
