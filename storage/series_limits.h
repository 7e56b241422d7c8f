// Who may make new series: limits of the node and of name prefixes, on how many there are and on
// how fast they come. Known series never get here.
//
// Threads: all methods from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/stats.h"

namespace shoal {

// Of the names that start with `prefix`. 0: no limit of that kind.
struct SeriesLimit {
  std::string prefix;
  int64_t series_max = 0;
  int64_t creations_per_sec = 0;
};

class SeriesLimits {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr size_t kPrefixesMax = 256;  // each has a label of its own in the metrics
  // A bucket holds the creations of so many seconds: a deployment comes in bursts.
  static constexpr int64_t kBurstSec = 10;

  // `node` has no prefix. A name counts against the first of `prefixes` that it starts with.
  SeriesLimits(SeriesLimit node, std::vector<SeriesLimit> prefixes, MetricRegistry* metrics);

  // OK: the series is counted as there. ResourceExhausted: it is not, and the refusal is counted.
  absl::Status Admit(absl::string_view name, TimePoint now);
  // At the start: so many series are there already,
  void Start(uint64_t series);
  // and each of them counts against its prefix.
  void AddedToPrefix(absl::string_view name);
  // Takes back what Admit or the two above counted.
  void Removed(absl::string_view name);
  bool has_prefixes() const { return has_prefixes_; }

 private:
  struct Group {
    SeriesLimit limit;
    int64_t series = 0;
    double tokens = 0;
    TimePoint filled;
    Counter* refused_count = nullptr;  // null without a registry
    Counter* refused_rate = nullptr;
    Gauge* series_gauge = nullptr;
  };

  Group* PrefixGroup(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Fill(Group* group, TimePoint now);
  absl::Status Refuse(const Group& group, bool rate, absl::string_view name, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const bool has_prefixes_;
  Mutex mu_;
  std::vector<Group> groups_ ABSL_GUARDED_BY(mu_);  // the node's, then the prefixes'
  TimePoint next_log_ ABSL_GUARDED_BY(mu_);
  uint64_t unlogged_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal
