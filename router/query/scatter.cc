#include "router/query/scatter.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "base/metric/glob.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"
#include "router/query/replica_merge.h"

namespace shoal {
namespace {

std::vector<uint32_t> AllPartitions(uint32_t count) {
  std::vector<uint32_t> partitions(count);
  std::iota(partitions.begin(), partitions.end(), 0);
  return partitions;
}

// What all attempts of one query have received so far. Replicas are counted each, so it trips only
// past replication times the limit; the exact check follows the merge.
struct Budget {
  Budget(uint64_t series_limit, uint64_t points_limit)
      : series_max(series_limit), points_max(points_limit) {}
  const uint64_t series_max;
  const uint64_t points_max;
  std::atomic<uint64_t> series{0};
  std::atomic<uint64_t> points{0};

  absl::Status Take(uint64_t points_more) {
    const uint64_t series_now = series.fetch_add(1, std::memory_order_relaxed) + 1;
    const uint64_t points_now =
        points.fetch_add(points_more, std::memory_order_relaxed) + points_more;
    return Check(series_now, points_now, series_max, points_max);
  }
  static absl::Status Check(uint64_t series_count, uint64_t points_count, uint64_t series_limit,
                            uint64_t points_limit) {
    if (series_count > series_limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the query matches more than ", series_limit, " series (query.series_max)"));
    }
    if (points_count > points_limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the query takes more than ", points_limit, " points (query.points_max)"));
    }
    return absl::OkStatus();
  }
};

// The node's form of a pattern: a literal name in canonical form, as it is stored.
std::string CanonicalPattern(const std::string& pattern) {
  if (IsTagged(pattern) && ValidateName(pattern) == NameError::kNone) return CanonicalName(pattern);
  return pattern;
}

}  // namespace

// The specs of a fetch as the nodes see them: one group for each range and aggregate, each
// pattern of a group once.
struct Scatter::Plan {
  std::vector<NodeFetchRequest> groups;
  std::vector<std::pair<size_t, size_t>> pattern_of_spec;  // (group, pattern)
  bool all_literal = true;
  std::vector<uint32_t> partitions;  // of the names, when all_literal

  static absl::StatusOr<Plan> Make(absl::Span<const FetchSpec> specs, uint32_t partition_count) {
    Plan plan;
    std::map<std::tuple<int64_t, int64_t, int64_t, uint32_t>, size_t> group_of_range;
    std::map<std::pair<size_t, std::string>, size_t> known;
    for (const FetchSpec& spec : specs) {
      SHOAL_RETURN_IF_ERROR(Glob::Compile(spec.pattern).status());
      const uint32_t aggregate = spec.range.aggregate ? AggregateCode(*spec.range.aggregate) : 0;
      const auto [range, new_range] = group_of_range.try_emplace(
          {spec.range.from_sec, spec.range.until_sec, spec.range.now_sec, aggregate},
          plan.groups.size());
      const size_t group = range->second;
      if (new_range) {
        plan.groups.emplace_back();
        plan.groups.back().range = spec.range;
      }
      std::vector<std::string>& patterns = plan.groups[group].patterns;
      std::string text = CanonicalPattern(spec.pattern);
      const auto [pattern, new_pattern] = known.try_emplace({group, text}, patterns.size());
      if (new_pattern) {
        if (HasGlob(text)) {
          plan.all_literal = false;
        } else {
          plan.partitions.push_back(PartitionOf(text, partition_count));
        }
        patterns.push_back(std::move(text));
      }
      plan.pattern_of_spec.emplace_back(group, pattern->second);
    }
    std::sort(plan.partitions.begin(), plan.partitions.end());
    plan.partitions.erase(std::unique(plan.partitions.begin(), plan.partitions.end()),
                          plan.partitions.end());
    return plan;
  }
};

Scatter::Scatter(std::shared_ptr<const Topology> topology,
                 std::shared_ptr<const PartitionMap> partitions,
                 std::vector<std::unique_ptr<NodeReader>> readers, const ReplicaHealth* health,
                 ScatterOptions options)
    : options_(options),
      all_partitions_(AllPartitions(partitions->partition_count())),
      fan_out_(std::move(topology), std::move(partitions), std::move(readers), health,
               options.fan_out) {
  MetricRegistry* metrics =
      options.fan_out.metrics != nullptr ? options.fan_out.metrics : &own_metrics_;
  step_mismatch_ = metrics->AddCounter("shoal_router_replica_step_mismatch_total",
                                       "Copies of a series left out of an answer because their "
                                       "step differs from the other replica's");
  damaged_ = metrics->AddCounter("shoal_router_damaged_series_total",
                                 "Series that a node could not read in full");
}

Scatter::~Scatter() = default;

absl::StatusOr<std::vector<std::vector<Series>>> Scatter::Fetch(absl::Span<const FetchSpec> specs,
                                                                Deadline deadline) {
  if (specs.empty()) return std::vector<std::vector<Series>>();
  const uint32_t partition_count = fan_out_.partitions().partition_count();
  SHOAL_ASSIGN_OR_RETURN(Plan made, Plan::Make(specs, partition_count));
  const auto plan = std::make_shared<Plan>(std::move(made));
  const uint64_t replication = static_cast<uint64_t>(fan_out_.partitions().replication());
  const auto budget = std::make_shared<Budget>(options_.series_max * replication,
                                               options_.points_max * replication);
  for (NodeFetchRequest& group : plan->groups) {
    group.series_max = options_.series_max;
    group.points_max = options_.points_max;
  }

  const NodeQuestion question = [plan, budget, partition_count](
                                    NodeReader* reader, const PartitionBits& bits,
                                    Deadline attempt_deadline, Cancellation* cancel,
                                    NodeAnswer* answer) -> absl::Status {
    answer->series.resize(plan->groups.size());
    for (size_t g = 0; g < plan->groups.size(); ++g) {
      const absl::Status fetched_all =
          reader->Fetch(plan->groups[g], bits, attempt_deadline, cancel,
                        [&](FetchedSeries fetched) -> absl::Status {
                          SHOAL_RETURN_IF_ERROR(budget->Take(fetched.series.values.size()));
                          if (fetched.damaged) {
                            answer->damaged_partitions.push_back(
                                PartitionOf(fetched.series.name, partition_count));
                          }
                          answer->series[g].push_back(std::move(fetched));
                          return absl::OkStatus();
                        });
      if (!fetched_all.ok()) return fetched_all;
    }
    return absl::OkStatus();
  };
  SHOAL_ASSIGN_OR_RETURN(
      std::vector<NodeAnswer> answers,
      fan_out_.Run(plan->all_literal ? plan->partitions : all_partitions_, question, deadline));

  // Copies by group and pattern.
  std::vector<std::vector<std::vector<ReplicaSeries>>> copies(plan->groups.size());
  for (size_t g = 0; g < copies.size(); ++g) copies[g].resize(plan->groups[g].patterns.size());
  for (NodeAnswer& answer : answers) {
    for (size_t g = 0; g < copies.size(); ++g) {
      for (FetchedSeries& fetched : answer.series[g]) {
        if (fetched.damaged) damaged_->Add();
        const int distrust = (answer.whole ? 0 : 2) + (fetched.damaged ? 1 : 0);
        copies[g][fetched.pattern_index].push_back({std::move(fetched.series), distrust});
      }
    }
  }
  MergeCounts counts;
  uint64_t series_count = 0;
  uint64_t points_count = 0;
  std::vector<std::vector<std::vector<Series>>> merged(copies.size());
  for (size_t g = 0; g < copies.size(); ++g) {
    for (std::vector<ReplicaSeries>& of_pattern : copies[g]) {
      merged[g].push_back(MergeReplicas(std::move(of_pattern), &counts));
      series_count += merged[g].back().size();
      for (const Series& series : merged[g].back()) points_count += series.values.size();
    }
  }
  step_mismatch_->Add(counts.step_mismatch);
  SHOAL_RETURN_IF_ERROR(
      Budget::Check(series_count, points_count, options_.series_max, options_.points_max));

  // Several specs may share a pattern; the last of them takes the series, the others copy.
  std::vector<std::vector<Series>> result(specs.size());
  std::map<std::pair<size_t, size_t>, size_t> last_user;
  for (size_t i = 0; i < specs.size(); ++i) last_user[plan->pattern_of_spec[i]] = i;
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto [group, pattern] = plan->pattern_of_spec[i];
    std::vector<Series>& from = merged[group][pattern];
    if (last_user[{group, pattern}] == i) {
      result[i] = std::move(from);
    } else {
      result[i] = from;
    }
  }
  return result;
}

absl::StatusOr<std::vector<FindEntry>> Scatter::Find(const std::string& pattern,
                                                     Deadline deadline) {
  SHOAL_RETURN_IF_ERROR(Glob::Compile(pattern).status());
  const uint64_t replication = static_cast<uint64_t>(fan_out_.partitions().replication());
  const auto budget = std::make_shared<Budget>(options_.series_max * (replication + 1), UINT64_MAX);
  const NodeQuestion question = [budget, text = CanonicalPattern(pattern)](
                                    NodeReader* reader, const PartitionBits& bits,
                                    Deadline attempt_deadline, Cancellation* cancel,
                                    NodeAnswer* answer) {
    return reader->Find(text, bits, attempt_deadline, cancel, [&](FindEntry entry) -> absl::Status {
      // Every node may answer a branch: those are bounded by the merged count.
      if (entry.is_leaf) SHOAL_RETURN_IF_ERROR(budget->Take(0));
      answer->found.push_back(std::move(entry));
      return absl::OkStatus();
    });
  };
  SHOAL_ASSIGN_OR_RETURN(std::vector<NodeAnswer> answers,
                         fan_out_.Run(all_partitions_, question, deadline));
  std::vector<FindEntry> found;
  for (NodeAnswer& answer : answers) {
    std::move(answer.found.begin(), answer.found.end(), std::back_inserter(found));
  }
  std::sort(found.begin(), found.end(), [](const FindEntry& a, const FindEntry& b) {
    if (const int order = a.path.compare(b.path); order != 0) return order < 0;
    return a.is_leaf < b.is_leaf;
  });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  SHOAL_RETURN_IF_ERROR(Budget::Check(found.size(), 0, options_.series_max, UINT64_MAX));
  return found;
}

absl::StatusOr<std::vector<std::string>> Scatter::ListNames(Deadline deadline) {
  const uint64_t replication = static_cast<uint64_t>(fan_out_.partitions().replication());
  const auto budget = std::make_shared<Budget>(options_.names_max * replication, UINT64_MAX);
  const NodeQuestion question = [budget](NodeReader* reader, const PartitionBits& bits,
                                         Deadline attempt_deadline, Cancellation* cancel,
                                         NodeAnswer* answer) {
    return reader->ListNames(bits, attempt_deadline, cancel, [&](std::string name) -> absl::Status {
      SHOAL_RETURN_IF_ERROR(budget->Take(0));
      answer->names.push_back(std::move(name));
      return absl::OkStatus();
    });
  };
  SHOAL_ASSIGN_OR_RETURN(std::vector<NodeAnswer> answers,
                         fan_out_.Run(all_partitions_, question, deadline));
  std::vector<std::string> names;
  for (NodeAnswer& answer : answers) {
    std::move(answer.names.begin(), answer.names.end(), std::back_inserter(names));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace shoal
