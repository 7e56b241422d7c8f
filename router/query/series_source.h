// Where the evaluator gets its series and the finder its nodes: the cluster behind the router, or
// data made by a test.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/metric/series.h"

namespace shoal {

struct FetchSpec {
  std::string pattern;  // a Graphite glob or a full name
  FetchRange range;
};

struct FindEntry {
  std::string path;
  bool is_leaf = false;
  friend bool operator==(const FindEntry&, const FindEntry&) = default;
};

using Deadline = std::chrono::steady_clock::time_point;

// Thread safe.
class SeriesSource {
 public:
  virtual ~SeriesSource() = default;

  // One list per spec, in order; each list sorted by name (byte order), every series once, raw (not
  // consolidated), complete: when a partition cannot be read from any whole replica the answer is
  // Unavailable and names it. InvalidArgument for a bad pattern, ResourceExhausted past a limit,
  // DeadlineExceeded.
  virtual absl::StatusOr<std::vector<std::vector<Series>>> Fetch(absl::Span<const FetchSpec> specs,
                                                                 Deadline deadline) = 0;
  // Branches and leaves that match, sorted by path, deduplicated (a path may be both a branch and a
  // leaf).
  virtual absl::StatusOr<std::vector<FindEntry>> Find(const std::string& pattern,
                                                      Deadline deadline) = 0;
  // All leaf names, sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListNames(Deadline deadline) = 0;
};

}  // namespace shoal
