// From the answers of several replicas to one list of series.
#pragma once

#include <cstddef>
#include <vector>

#include "base/metric/series.h"

namespace shoal {

// A series as one replica has it.
struct ReplicaSeries {
  Series series;
  // Lower is more trusted: a whole replica before one that is catching up, an undamaged copy before
  // a damaged one. Where two copies have different values at a timestamp, the more trusted one
  // wins.
  int distrust = 0;
};

struct MergeCounts {
  size_t merged = 0;  // copies that were folded into another one
  size_t step_mismatch =
      0;  // copies that could not be: their step differs from the more trusted copy's
};

// Every name once, sorted by name (byte order). A copy without values is only kept when no other
// copy has any.
std::vector<Series> MergeReplicas(std::vector<ReplicaSeries> copies, MergeCounts* counts);

}  // namespace shoal
