#include "base/checksum.h"

#include <xxhash.h>

namespace shoal {

uint64_t Hash64(const void* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace shoal
