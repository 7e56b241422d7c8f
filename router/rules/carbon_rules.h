// The rule files of Graphite's carbon daemons, as they are.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/rules/relay_cluster.h"
#include "router/rules/rule_set.h"

namespace shoal {

// A file that is not configured, or that is not there, has no path and no text: carbon takes the
// lists, the rewrite and the aggregation rules for empty then.
struct RuleFile {
  std::string path;
  std::string text;
  bool present() const { return !path.empty(); }
};

struct CarbonRuleFiles {
  RuleFile blacklist;
  RuleFile whitelist;  // an empty one lets everything pass
  RuleFile rewrite;
  RuleFile aggregation;
  RuleFile relay;
};

struct CarbonRuleOptions {
  bool forward_all = true;  // FORWARD_ALL: aggregated series are sent on themselves too
  int64_t max_aggregation_intervals = 5;
  // Clusters that relay rules may name in place of a destination.
  std::vector<RelayCluster> clusters;
  // Where everything goes without relay rules: names of `clusters`.
  std::vector<std::string> default_clusters;
};

// carbon's order: blacklist, whitelist, rewrite rules of [pre], aggregation rules, rewrite rules of
// [post], relay rules. InvalidArgument with file and line for what carbon would refuse, and for
// regular expressions that RE2 does not know, where carbon would skip the rule: a rule that is
// silently missing sends series to the wrong place.
absl::StatusOr<RuleSet> CompileCarbonRules(const CarbonRuleFiles& files,
                                           const CarbonRuleOptions& options);

// The regular expression of an aggregation rule's input pattern. For tests.
std::string CarbonInputRegex(absl::string_view input_pattern);

}  // namespace shoal
