#include "base/cluster/hash.h"

#include "base/checksum.h"

namespace shoal {

uint64_t NameHash(absl::string_view canonical_name) { return Hash64(canonical_name, 0); }

uint32_t Fnv1a32(absl::string_view bytes) {
  uint32_t hash = 0x811c9dc5;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x01000193u;
  return hash;
}

uint64_t Fnv1a64(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

uint32_t JumpHash(uint64_t hash, uint32_t buckets) {
  int64_t bucket = 0;
  int64_t next = 0;
  while (next < static_cast<int64_t>(buckets)) {
    bucket = next;
    hash = hash * 2862933555777941757u + 1;
    next = static_cast<int64_t>(
        static_cast<double>(bucket + 1) *
        (static_cast<double>(int64_t{1} << 31) / static_cast<double>((hash >> 33) + 1)));
  }
  return static_cast<uint32_t>(bucket);
}

}  // namespace shoal
