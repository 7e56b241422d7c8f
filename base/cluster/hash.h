// From a metric name to its partition.
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

}  // namespace shoal
