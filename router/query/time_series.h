// A series inside an evaluation: values on a fixed step with the names, tags and settings that
// Graphite carries along.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/metric/series.h"
#include "router/query/aggregate_func.h"

namespace shoal {

// Tags in the order in which they were first set. Few, so a list.
class Tags {
 public:
  // "a.b;k=v" -> {k: v, name: a.b}; "a.b" -> {name: a.b}. A name that cannot be a tagged one, or is
  // already wrapped in a function, is the value of the tag "name" as a whole.
  static Tags FromName(absl::string_view name);

  void Set(absl::string_view key, absl::string_view value);
  const std::string* Find(absl::string_view key) const;  // null when absent
  // Drops every tag that `other` lacks or has with another value.
  void KeepCommon(const Tags& other);
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }
  friend bool operator==(const Tags&, const Tags&) = default;

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// values[i] stands at start_sec + i * step_sec, NaN = absent. `end_sec` is what Graphite reports
// and bounds the timestamps of the JSON answer; it may differ from start_sec + step_sec *
// values.size() after functions that re-bucket.
struct TimeSeries {
  std::string name;
  // What names of aggregates are made of: the pattern that fetched the series, or the name that the
  // last transformation gave.
  std::string path_expression;
  Tags tags;
  int64_t start_sec = 0;
  int64_t end_sec = 0;
  int64_t step_sec = 1;
  std::vector<double> values;
  Consolidation consolidation = Consolidation::kAverage;
  double x_files_factor = 0;

  // Gives the series a new name that later functions build on as well.
  void Rename(std::string new_name);
};

using SeriesList = std::vector<TimeSeries>;

TimeSeries FromFetched(Series series, absl::string_view pattern, double x_files_factor);

// Python's "a % b" for b > 0: never negative.
inline int64_t FloorMod(int64_t a, int64_t b) {
  const int64_t r = a % b;
  return r < 0 ? r + b : r;
}

}  // namespace shoal
