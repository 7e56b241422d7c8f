#include "router/query/replica_merge.h"

#include <algorithm>
#include <utility>

namespace shoal {

std::vector<Series> MergeReplicas(std::vector<ReplicaSeries> copies, MergeCounts* counts) {
  std::stable_sort(copies.begin(), copies.end(),
                   [](const ReplicaSeries& a, const ReplicaSeries& b) {
                     if (const int order = a.series.name.compare(b.series.name); order != 0) {
                       return order < 0;
                     }
                     return a.distrust < b.distrust;
                   });
  std::vector<Series> merged;
  for (ReplicaSeries& copy : copies) {
    if (merged.empty() || merged.back().name != copy.series.name) {
      merged.push_back(std::move(copy.series));
      continue;
    }
    Series& into = merged.back();
    if (copy.series.values.empty()) continue;
    if (into.values.empty()) {
      into = std::move(copy.series);
      continue;
    }
    // Replicas choose the archive by the same rule; they differ only while their schemas do. Values
    // of one step mean nothing on another, so the less trusted copy is left out rather than mixed
    // in. The same holds for grids that share a step but not its phase.
    if (copy.series.step_sec != into.step_sec ||
        (copy.series.start_sec - into.start_sec) % into.step_sec != 0) {
      ++counts->step_mismatch;
      continue;
    }
    FillFrom(copy.series, &into);
    ++counts->merged;
  }
  return merged;
}

}  // namespace shoal
