// What happens between Open and the first write: the WAL is replayed into the write buffer.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "storage/committer.h"
#include "storage/engine.h"
#include "storage/index/metric_index.h"
#include "storage/log/segmented_log.h"
#include "storage/write_buffer.h"

namespace shoal {

struct ReplayOptions {
  LogPosition checkpoint;  // everything before it is in the ring files
  // A flush is asked for near it. Whatever one life had in its buffer fits into the next one's, so
  // that a restart hardly ever flushes before it serves.
  uint64_t write_buffer_bytes_max = 0;
};

// Replays into index and buffer. `flush` runs when memory asks for it: what lies before the
// position it is given has been applied. `deleted`: series whose slots are to be freed. `dead`: the
// ids of all deletions, also of those that the index knew of. Records that do not decode, and
// points of series that no record defines, are counted as damaged and left out.
absl::Status ReplayWal(const ReplayOptions& options, const SegmentedLog& wal, MetricIndex* index,
                       WriteBuffer* buffer, const std::function<absl::Status(LogPosition)>& flush,
                       std::vector<Committer::Deleted>* deleted, std::vector<SeriesId>* dead,
                       RecoveryReport* report);

}  // namespace shoal
