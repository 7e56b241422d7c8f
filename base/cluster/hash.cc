#include "base/cluster/hash.h"

#include "base/checksum.h"

namespace shoal {

uint64_t NameHash(absl::string_view canonical_name) { return Hash64(canonical_name, 0); }

}  // namespace shoal
