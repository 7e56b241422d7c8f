// A series as it leaves storage and crosses the wire: columnar values on a fixed step.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/metric/aggregate.h"

namespace shoal {

// NaN stands for "no value" in every column of values.
inline constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

// The question of a fetch. As in whisper, `from` is exclusive and `until` inclusive, and `now`
// decides which archive still covers `from`. All in seconds since the epoch.
struct FetchRange {
  int64_t from_sec = 0;
  int64_t until_sec = 0;
  int64_t now_sec = 0;
  // What a coarser archive answers with if its rule keeps it; the series' own method otherwise.
  std::optional<AggregateSpec> aggregate{};
};

// values[i] is the value at start_sec + i * step_sec.
struct Series {
  std::string name;
  int64_t start_sec = 0;
  int64_t step_sec = 1;
  std::vector<double> values;

  // Exclusive.
  int64_t end_sec() const { return start_sec + step_sec * static_cast<int64_t>(values.size()); }
};

// The grid of an answer: whisper's rounding, start = from - from % step + step, end = until - until
// % step + step, and one step more when both are equal. `from` and `until` must lie within what the
// archive covers already.
struct FetchGrid {
  int64_t start_sec = 0;
  int64_t end_sec = 0;  // exclusive
  int64_t step_sec = 1;
  int64_t count() const { return (end_sec - start_sec) / step_sec; }
};
FetchGrid GridOf(int64_t from_sec, int64_t until_sec, int64_t step_sec);

// Fills the absent values of `into` from `other`, timestamp by timestamp; both must have the same
// step and be aligned to it, the grids may differ (the result covers both). Used to merge replicas.
void FillFrom(const Series& other, Series* into);

}  // namespace shoal
