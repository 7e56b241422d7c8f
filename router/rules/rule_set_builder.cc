#include "router/rules/rule_set_builder.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {

absl::StatusOr<uint32_t> RuleSetBuilder::AddCluster(RelayCluster cluster) {
  const auto number = static_cast<uint32_t>(set_.clusters_.size());
  if (!cluster_numbers_.try_emplace(cluster.name(), number).second) {
    return absl::AlreadyExistsError(absl::StrCat("cluster ", cluster.name(), " is defined twice"));
  }
  set_.clusters_.push_back(std::move(cluster));
  return number;
}

absl::StatusOr<uint32_t> RuleSetBuilder::FindCluster(absl::string_view name) const {
  const auto found = cluster_numbers_.find(name);
  if (found == cluster_numbers_.end()) {
    return absl::NotFoundError(absl::StrCat("no cluster is called ", name));
  }
  return found->second;
}

absl::StatusOr<uint32_t> RuleSetBuilder::AddPattern(absl::string_view text,
                                                    const PatternOptions& options) {
  return set_.patterns_.Add(text, options);
}

absl::Status RuleSetBuilder::Send(std::string origin, std::vector<uint32_t> patterns,
                                  std::vector<uint32_t> clusters, absl::string_view route_using,
                                  bool stop) {
  RuleSet::Rule rule;
  rule.origin = std::move(origin);
  rule.action = RuleSet::Action::kSend;
  if (!route_using.empty()) {
    if (patterns.empty()) return absl::InvalidArgumentError("\"route using\" needs an expression");
    for (const uint32_t pattern : patterns) {
      SHOAL_ASSIGN_OR_RETURN(auto key,
                             NameTemplate::ParseCrelay(route_using, set_.patterns_.regex(pattern)));
      rule.templates.push_back(std::move(key));
    }
  }
  rule.patterns = std::move(patterns);
  rule.clusters = std::move(clusters);
  rule.stop = stop;
  set_.rules_.push_back(std::move(rule));
  return absl::OkStatus();
}

void RuleSetBuilder::Drop(std::string origin, std::vector<uint32_t> patterns, bool negated,
                          RuleVerdict verdict) {
  RuleSet::Rule rule;
  rule.origin = std::move(origin);
  rule.action = RuleSet::Action::kDrop;
  rule.patterns = std::move(patterns);
  rule.negated = negated;
  rule.verdict = verdict;
  set_.rules_.push_back(std::move(rule));
}

absl::Status RuleSetBuilder::ReplaceAll(std::string origin, uint32_t pattern,
                                        absl::string_view replacement) {
  RuleSet::Rule rule;
  rule.origin = std::move(origin);
  rule.action = RuleSet::Action::kReplaceAll;
  rule.patterns = {pattern};
  SHOAL_ASSIGN_OR_RETURN(rule.replace,
                         RegexReplace::Compile(set_.patterns_.text(pattern), replacement));
  set_.rules_.push_back(std::move(rule));
  return absl::OkStatus();
}

absl::Status RuleSetBuilder::ReplaceFirst(std::string origin, uint32_t pattern,
                                          absl::string_view replacement) {
  RuleSet::Rule rule;
  rule.origin = std::move(origin);
  rule.action = RuleSet::Action::kReplaceFirst;
  rule.patterns = {pattern};
  SHOAL_ASSIGN_OR_RETURN(auto name,
                         NameTemplate::ParseCrelay(replacement, set_.patterns_.regex(pattern)));
  rule.templates.push_back(std::move(name));
  set_.rules_.push_back(std::move(rule));
  return absl::OkStatus();
}

absl::Status RuleSetBuilder::AggregateCrelay(Aggregation aggregation,
                                             std::vector<uint32_t> patterns,
                                             absl::Span<const std::string> outputs, bool stop) {
  RuleSet::Rule rule;
  rule.origin = aggregation.origin;
  rule.action = RuleSet::Action::kAggregate;
  for (const uint32_t pattern : patterns) {
    auto& names = rule.outputs.emplace_back();
    for (const std::string& output : outputs) {
      SHOAL_ASSIGN_OR_RETURN(auto name,
                             NameTemplate::ParseCrelay(output, set_.patterns_.regex(pattern)));
      names.push_back(std::move(name));
    }
  }
  rule.patterns = std::move(patterns);
  rule.aggregation = static_cast<uint32_t>(set_.aggregations_.size());
  rule.stop = stop;
  set_.aggregations_.push_back(std::move(aggregation));
  set_.rules_.push_back(std::move(rule));
  return absl::OkStatus();
}

absl::Status RuleSetBuilder::AggregateCarbon(Aggregation aggregation, uint32_t pattern,
                                             absl::string_view output) {
  RuleSet::Rule rule;
  rule.origin = aggregation.origin;
  rule.action = RuleSet::Action::kAggregate;
  rule.whole_outputs = true;
  rule.patterns = {pattern};
  SHOAL_ASSIGN_OR_RETURN(auto name,
                         NameTemplate::ParseCarbon(output, set_.patterns_.regex(pattern)));
  rule.outputs.emplace_back().push_back(std::move(name));
  rule.aggregation = static_cast<uint32_t>(set_.aggregations_.size());
  set_.aggregations_.push_back(std::move(aggregation));
  set_.rules_.push_back(std::move(rule));
  return absl::OkStatus();
}

void RuleSetBuilder::EndAggregation(std::string origin, bool forward_all) {
  RuleSet::Rule rule;
  rule.origin = std::move(origin);
  rule.action = RuleSet::Action::kEndAggregation;
  rule.forward_all = forward_all;
  set_.rules_.push_back(std::move(rule));
  for (Aggregation& aggregation : set_.aggregations_) {
    aggregation.outputs_enter_at = static_cast<uint32_t>(set_.rules_.size());
  }
}

absl::StatusOr<RuleSet> RuleSetBuilder::Build() && {
  SHOAL_RETURN_IF_ERROR(set_.patterns_.Compile());
  return std::move(set_);
}

}  // namespace shoal
