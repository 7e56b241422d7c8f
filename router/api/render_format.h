// Series -> the body of a /render answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "router/query/time_series.h"

namespace shoal {

// Every writer stops with ResourceExhausted once its text is longer than `bytes_max`.

struct JsonOptions {
  int64_t max_data_points = 0;  // 0: all points
  bool no_null_points = false;  // leaves out absent points, and series without any point
};
// [{"target":name,"tags":{...},"datapoints":[[value,timestamp],...]},...]. With more points than
// max_data_points every series is consolidated by its own function, its start moved so that the
// buckets stay put from one refresh to the next.
absl::StatusOr<std::string> RenderJson(SeriesList series, const JsonOptions& options,
                                       size_t bytes_max);

// name,start,end,step|value,value,None,... a line for each series.
absl::StatusOr<std::string> RenderRaw(const SeriesList& series, size_t bytes_max);

// name,YYYY-MM-DD HH:MM:SS,value a line for each point, in `zone`; CRLF; quoted where a name needs
// it; nothing for absent.
absl::StatusOr<std::string> RenderCsv(const SeriesList& series, absl::TimeZone zone,
                                      size_t bytes_max);

}  // namespace shoal
