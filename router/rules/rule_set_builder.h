// Makes a RuleSet from what the readers of configuration files find, in the order of the file.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "router/rules/rule_set.h"

namespace shoal {

// Errors say what is wrong but not where: the callers know file and line, given as `origin` to what
// they add.
class RuleSetBuilder {
 public:
  // AlreadyExists when a cluster of that name is there.
  absl::StatusOr<uint32_t> AddCluster(RelayCluster cluster);
  // NotFound.
  absl::StatusOr<uint32_t> FindCluster(absl::string_view name) const;
  absl::StatusOr<uint32_t> AddPattern(absl::string_view text, const PatternOptions& options);

  // No patterns: every name. `route_using` (of carbon-c-relay) needs patterns, unless it is empty.
  absl::Status Send(std::string origin, std::vector<uint32_t> patterns,
                    std::vector<uint32_t> clusters, absl::string_view route_using, bool stop);
  void Drop(std::string origin, std::vector<uint32_t> patterns, bool negated, RuleVerdict verdict);
  // carbon: re.sub(pattern, replacement, name).
  absl::Status ReplaceAll(std::string origin, uint32_t pattern, absl::string_view replacement);
  // carbon-c-relay: the first match becomes the replacement.
  absl::Status ReplaceFirst(std::string origin, uint32_t pattern, absl::string_view replacement);
  // carbon-c-relay: one output text per compute; what is around the match stays.
  absl::Status AggregateCrelay(Aggregation aggregation, std::vector<uint32_t> patterns,
                               absl::Span<const std::string> outputs, bool stop);
  // carbon: the output text of one compute is the whole name.
  absl::Status AggregateCarbon(Aggregation aggregation, uint32_t pattern, absl::string_view output);
  // Behind carbon's aggregation rules: their outputs enter here.
  void EndAggregation(std::string origin, bool forward_all);

  absl::StatusOr<RuleSet> Build() &&;

 private:
  RuleSet set_;
  absl::flat_hash_map<std::string, uint32_t> cluster_numbers_;
};

}  // namespace shoal
