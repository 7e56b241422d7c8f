// From a metric name to a number: our own partition hash, and the hashes of Graphite's relays.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace shoal {

// Frozen: decides where data lives. XXH3-64 of the canonical name with seed 0.
uint64_t NameHash(absl::string_view canonical_name);
// hash modulo count.
inline uint32_t PartitionOfHash(uint64_t name_hash, uint32_t partition_count) {
  return static_cast<uint32_t>(name_hash % partition_count);
}
inline uint32_t PartitionOf(absl::string_view canonical_name, uint32_t partition_count) {
  return PartitionOfHash(NameHash(canonical_name), partition_count);
}

uint32_t Fnv1a32(absl::string_view bytes);
uint64_t Fnv1a64(absl::string_view bytes);
// Lamping and Veach's jump consistent hash: a bucket in [0, buckets). `buckets` must not be 0.
uint32_t JumpHash(uint64_t hash, uint32_t buckets);

}  // namespace shoal
