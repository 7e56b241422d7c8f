// Runs targets: parse, bind, plan what to fetch, fetch it all at once, evaluate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "router/query/function_registry.h"
#include "router/query/series_source.h"
#include "router/query/time_series.h"

namespace shoal {

struct EvalLimits {
  size_t targets_max = 1000;
  size_t series_max = 100'000;       // fetched, over all targets; also in the answer
  int64_t points_max = 100'000'000;  // fetched, made and gone through
  ParseLimits parse;
};

struct EvalRequest {
  std::vector<std::string> targets;  // blank ones are skipped
  FetchRange range;
  double x_files_factor = 0;
  Deadline deadline = Deadline::max();
};

// The series of all targets, in the order of the targets. InvalidArgument names the target and the
// position; otherwise what the source said, ResourceExhausted past a limit, DeadlineExceeded. Data
// is fetched in one call of the source, and in one more for each level of nested functions whose
// window in points can only be turned into seconds once the step is known.
absl::StatusOr<SeriesList> EvaluateTargets(const EvalRequest& request, const EvalLimits& limits,
                                           SeriesSource* source);

}  // namespace shoal
