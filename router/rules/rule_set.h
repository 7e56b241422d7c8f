// What happens to a metric name: an ordered list of rules, whatever file they came from, evaluated
// once per new name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/query/regex_replace.h"
#include "router/rules/name_template.h"
#include "router/rules/pattern_set.h"
#include "router/rules/relay_cluster.h"

namespace shoal {

enum class AggregateMethod : uint8_t {
  kSum,
  kCount,
  kMax,
  kMin,
  kAverage,
  kMedian,
  kPercentile,
  kVariance,
  kStddev,
};
const char* AggregateMethodName(AggregateMethod method);

// Which second of an interval its output carries.
enum class BucketStamp : uint8_t { kStart, kMiddle, kEnd };

// Time buckets of one kind: everything that an aggregator has to know about a rule.
struct Aggregation {
  struct Compute {
    AggregateMethod method = AggregateMethod::kSum;
    double percentile = 0;     // of kPercentile: 0 to 100
    bool interpolate = false;  // kPercentile between two values, as carbon; else one of the values
  };
  std::string origin;  // "FILE:LINE"
  int64_t interval_sec = 60;
  int64_t expire_sec = 300;  // how old a point may be, by the clock
  BucketStamp stamp = BucketStamp::kStart;
  std::vector<Compute> computes;
  // Where its outputs go. None: they are names like any other, from rule `outputs_enter_at` on.
  std::vector<uint32_t> clusters;
  uint32_t outputs_enter_at = 0;
};

enum class RuleVerdict : uint8_t {
  kSent,            // to some cluster, and maybe into aggregations too
  kAggregated,      // into aggregations only
  kBlacklisted,     // refused by carbon's blacklist.conf
  kNotWhitelisted,  // not in carbon's whitelist.conf
  kBlackholed,      // a rule throws it away
  kUnrouted,        // no rule sends it anywhere
  kBadName,         // a rule has rewritten it into what is no metric name
};
inline constexpr size_t kRuleVerdictCount = 7;
// "sent", "blacklisted", ...: label values, frozen.
const char* RuleVerdictName(RuleVerdict verdict);

struct RuleOutcome {
  struct Send {
    uint32_t cluster;
    uint32_t name;  // in names: what the points are called there
    uint32_t key;   // in names: what a ring hashes, another name where a rule says "route using"
  };
  struct Feed {
    uint32_t aggregation;
    uint32_t compute;
    uint32_t output;  // in names
  };
  RuleVerdict verdict = RuleVerdict::kUnrouted;
  std::vector<std::string> names;  // the first is the one that was asked for
  std::vector<Send> sends;         // no two are the same
  std::vector<Feed> feeds;
  uint32_t bad_outputs = 0;  // aggregations whose output would be no metric name: left out
};

// Immutable once built, thread safe; shared as snapshots.
class RuleSet {
 public:
  RuleSet() = default;
  RuleSet(RuleSet&&) = default;
  RuleSet& operator=(RuleSet&&) = default;

  // `name` is validated and canonical; so are the names of the outcome.
  RuleOutcome Evaluate(absl::string_view name) const;
  // The same for an output of `aggregation`.
  RuleOutcome EvaluateOutput(absl::string_view name, uint32_t aggregation) const;
  // Every rule that matches and what it does, step by step, then the verdict. For people.
  std::vector<std::string> Explain(absl::string_view name) const;

  const std::vector<RelayCluster>& clusters() const { return clusters_; }
  const std::vector<Aggregation>& aggregations() const { return aggregations_; }
  size_t rules() const { return rules_.size(); }

 private:
  friend class RuleSetBuilder;
  enum class Action : uint8_t {
    kSend,
    kDrop,            // with `verdict`
    kReplaceAll,      // carbon: every match is replaced
    kReplaceFirst,    // carbon-c-relay: the first match is replaced
    kAggregate,       // carbon-c-relay: the outputs keep what is around the match
    kEndAggregation,  // carbon: what goes on behind the aggregation rules
  };
  struct Rule {
    std::string origin;
    Action action = Action::kSend;
    std::vector<uint32_t> patterns;  // any of them; none: every name
    bool negated = false;            // none of them
    bool stop = false;
    RuleVerdict verdict = RuleVerdict::kBlackholed;  // kDrop
    std::vector<uint32_t> clusters;                  // kSend
    std::vector<NameTemplate> templates;  // per pattern: kReplaceFirst, and of "route using"
    std::optional<RegexReplace> replace;  // kReplaceAll
    uint32_t aggregation = 0;             // kAggregate
    bool whole_outputs = false;           // kAggregate: the outputs are whole names (carbon)
    std::vector<std::vector<NameTemplate>> outputs;  // kAggregate: per pattern, per compute
    bool forward_all = false;                        // kEndAggregation
  };
  struct Run;

  RuleOutcome Evaluate(absl::string_view name, size_t first_rule,
                       std::vector<std::string>* trace) const;
  void AddSends(const std::vector<uint32_t>& clusters, uint32_t ring_key, absl::string_view origin,
                Run* run) const;
  bool Apply(const Rule& rule, std::optional<uint32_t> pattern, Run* run) const;
  bool Rewrite(const Rule& rule, std::optional<uint32_t> pattern, Run* run) const;
  void Aggregate(const Rule& rule, uint32_t pattern, Run* run) const;
  // `pattern` is the index of one of the rule's own patterns. Replaces its first match in `name`.
  std::string Substitute(const Rule& rule, uint32_t pattern, const NameTemplate& replacement,
                         bool keep_rest, absl::string_view name) const;

  PatternSet patterns_;
  std::vector<Rule> rules_;
  std::vector<RelayCluster> clusters_;
  std::vector<Aggregation> aggregations_;
};

}  // namespace shoal
