// dump: single files and logs in words.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace shoal {

// A ring file, the double-write journal, `rolled-until` or `CHECKPOINT`, told by the name. The
// result is the exit code.
absl::StatusOr<int> DumpFile(const std::string& path);

// The records of a router's spool for one node.
absl::StatusOr<int> DumpSpool(const std::string& dir, uint64_t records_max);

}  // namespace shoal
