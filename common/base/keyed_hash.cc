#include "common/base/keyed_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/entropy.h"

namespace rota {

std::uint64_t keyed_hash(std::string_view bytes) {
  static const std::uint64_t seed = random_u64();
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace rota
