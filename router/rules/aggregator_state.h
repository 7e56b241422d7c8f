// What an aggregator holds, in a file that outlives the process.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "router/rules/aggregator.h"
#include "storage/fs/file_system.h"

namespace shoal {

// Atomic and durable. Points that came after the last save are not in it: a bucket that is emitted
// again after a crash lacks them.
absl::Status SaveAggregator(FileSystem* fs, const std::string& path, const Aggregator& aggregator);

// OK and nothing restored when there is no such file. See Aggregator::Restore.
absl::Status RestoreAggregator(FileSystem* fs, const std::string& path, int64_t now_sec,
                               Aggregator* aggregator);

}  // namespace shoal
