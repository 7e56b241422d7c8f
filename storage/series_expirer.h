// Removes series that have nothing to show any more: no point in any archive over its whole
// retention, none pending. It reads to find out, a few series at a time, round and round; there is
// no state that could be wrong.
//
// The clock alone lets nothing expire: while it is far ahead by mistake every series looks empty,
// and new points are refused as too old. Time is what the newest point says, if that is less.
//
// Threads: RunSome from one at a time.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/stats.h"
#include "storage/index/metric_index.h"
#include "storage/series_reader.h"
#include "storage/write_buffer.h"

namespace shoal {

class SeriesExpirer {
 public:
  // Deletes, durably, those that have got no point since the write buffer's generation was
  // `generation`: the look at them and their deletion are apart in time. How many it were.
  using Remove = std::function<absl::StatusOr<size_t>(absl::Span<const SeriesId>, uint64_t)>;

  // The newest timestamp that the engine has taken since its start; 0: none.
  using Newest = std::function<int64_t()>;

  // Borrows everything. Points are taken up to `future_sec` ahead of the clock.
  SeriesExpirer(const MetricIndex* index, const SeriesReader* reader, const WriteBuffer* buffer,
                const Clock* clock, int64_t future_sec, Newest newest, Remove remove,
                MetricRegistry* metrics);

  // Looks at the next series until `budget` is used up or all have been seen once, and removes
  // those that have expired. A series that cannot be read in full stays.
  absl::Status RunSome(std::chrono::nanoseconds budget);

 private:
  bool HasExpired(SeriesId series, int64_t now_sec);

  const MetricIndex* const index_;
  const SeriesReader* const reader_;
  const WriteBuffer* const buffer_;
  const Clock* const clock_;
  const int64_t future_sec_;
  const Newest newest_;
  const Remove remove_;
  Counter* expired_counter_ = nullptr;  // null without a registry
  SeriesId next_ = 0;
  // Only series older than the last look: between its definition and its first point a new one has
  // nothing to show either.
  SeriesId settled_end_ = 0;
  Series series_;
};

}  // namespace shoal
