// XXH3-64 from xxHash: the one hash for checksums and for the name space.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace shoal {

uint64_t Hash64(const void* bytes, size_t size, uint64_t seed = 0);
inline uint64_t Hash64(absl::string_view bytes, uint64_t seed = 0) {
  return Hash64(bytes.data(), bytes.size(), seed);
}

// Frozen on disk: the low 32 bits of XXH3-64. `seed` binds the bytes to where they belong, so that
// a valid page in the wrong place does not pass.
inline uint32_t Checksum32(absl::string_view bytes, uint64_t seed = 0) {
  return static_cast<uint32_t>(Hash64(bytes, seed));
}

}  // namespace shoal
