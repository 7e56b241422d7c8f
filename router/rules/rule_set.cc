#include "router/rules/rule_set.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/metric/metric_name.h"

namespace shoal {
namespace {

constexpr size_t kGroupsMax = 100;

re2::StringPiece Piece(absl::string_view text) {
  return re2::StringPiece(text.data(), text.size());
}
absl::string_view View(const re2::StringPiece& piece) {
  return absl::string_view(piece.data(), piece.size());
}

// "sum", "percentile90".
std::string ComputeText(const Aggregation::Compute& compute) {
  return compute.method == AggregateMethod::kPercentile
             ? absl::StrCat("percentile", compute.percentile)
             : AggregateMethodName(compute.method);
}

}  // namespace

// What one evaluation carries along.
struct RuleSet::Run {
  RuleOutcome* outcome;
  std::vector<std::string>* trace;  // may be null
  uint32_t name = 0;                // the current one, in outcome->names
  std::vector<bool> matches;        // of the current name

  const std::string& current() const { return outcome->names[name]; }
  uint32_t AddName(std::string text) {
    auto& names = outcome->names;
    const auto same = std::find(names.begin(), names.end(), text);
    if (same != names.end()) return static_cast<uint32_t>(same - names.begin());
    names.push_back(std::move(text));
    return static_cast<uint32_t>(names.size() - 1);
  }
  template <typename... Parts>
  void Trace(const Parts&... parts) {
    if (trace != nullptr) trace->push_back(absl::StrCat(parts...));
  }
};

const char* AggregateMethodName(AggregateMethod method) {
  constexpr std::array<const char*, 9> kNames = {
      "sum", "count", "max", "min", "average", "median", "percentile", "variance", "stddev"};
  return kNames[static_cast<size_t>(method)];
}

const char* RuleVerdictName(RuleVerdict verdict) {
  constexpr std::array<const char*, kRuleVerdictCount> kNames = {
      "sent",       "aggregated", "blacklisted", "not_whitelisted",
      "blackholed", "unrouted",   "bad_rewrite"};
  return kNames[static_cast<size_t>(verdict)];
}

RuleOutcome RuleSet::Evaluate(absl::string_view name) const { return Evaluate(name, 0, nullptr); }

RuleOutcome RuleSet::EvaluateOutput(absl::string_view name, uint32_t aggregation) const {
  const Aggregation& from = aggregations_[aggregation];
  if (from.clusters.empty()) return Evaluate(name, from.outputs_enter_at, nullptr);
  RuleOutcome outcome;
  outcome.names.emplace_back(name);
  Run run = {.outcome = &outcome, .trace = nullptr, .name = 0, .matches = {}};
  AddSends(from.clusters, 0, from.origin, &run);
  outcome.verdict = RuleVerdict::kSent;
  return outcome;
}

std::vector<std::string> RuleSet::Explain(absl::string_view name) const {
  std::vector<std::string> trace;
  const RuleOutcome outcome = Evaluate(name, 0, &trace);
  trace.push_back(absl::StrCat("verdict: ", RuleVerdictName(outcome.verdict)));
  return trace;
}

RuleOutcome RuleSet::Evaluate(absl::string_view name, size_t first_rule,
                              std::vector<std::string>* trace) const {
  RuleOutcome outcome;
  outcome.names.emplace_back(name);
  Run run = {.outcome = &outcome, .trace = trace, .name = 0, .matches = {}};
  patterns_.Match(name, &run.matches);
  for (size_t i = first_rule; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    // The first of its patterns that is found, as an index into them.
    std::optional<uint32_t> pattern;
    for (uint32_t p = 0; p < rule.patterns.size() && !pattern; ++p) {
      if (run.matches[rule.patterns[p]]) pattern = p;
    }
    const bool matches = rule.patterns.empty() || pattern.has_value() != rule.negated;
    if (matches && !Apply(rule, pattern, &run)) return outcome;
  }
  if (!outcome.sends.empty()) {
    outcome.verdict = RuleVerdict::kSent;
  } else {
    outcome.verdict = outcome.feeds.empty() ? RuleVerdict::kUnrouted : RuleVerdict::kAggregated;
  }
  return outcome;
}

// False when that was the last rule, with the verdict set.
bool RuleSet::Apply(const Rule& rule, std::optional<uint32_t> pattern, Run* run) const {
  RuleOutcome* const outcome = run->outcome;
  switch (rule.action) {
    case Action::kReplaceAll:
    case Action::kReplaceFirst:
      return Rewrite(rule, pattern, run);
    case Action::kDrop: {
      const std::string by =
          pattern ? absl::StrCat(" by ", patterns_.text(rule.patterns[*pattern])) : "";
      run->Trace(rule.origin, ": ", RuleVerdictName(rule.verdict), by);
      // What earlier rules have sent stays sent.
      outcome->verdict = outcome->sends.empty() ? rule.verdict : RuleVerdict::kSent;
      if (outcome->sends.empty() && !outcome->feeds.empty()) {
        outcome->verdict = RuleVerdict::kAggregated;
      }
      return false;
    }
    case Action::kSend: {
      uint32_t key = run->name;
      if (pattern && !rule.templates.empty()) {
        key = run->AddName(
            Substitute(rule, *pattern, rule.templates[*pattern], true, run->current()));
        run->Trace(rule.origin, ": hashed as ", outcome->names[key]);
      }
      AddSends(rule.clusters, key, rule.origin, run);
      break;
    }
    case Action::kAggregate:
      if (pattern) Aggregate(rule, *pattern, run);
      break;
    case Action::kEndAggregation: {
      // carbon forwards what is not aggregated only if asked to, and never a name that is its own
      // output.
      const bool own_output =
          std::any_of(outcome->feeds.begin(), outcome->feeds.end(),
                      [run](const RuleOutcome::Feed& feed) { return feed.output == run->name; });
      if (rule.forward_all && !own_output) break;
      run->Trace(rule.origin, ": goes no further than the aggregation rules");
      outcome->verdict = outcome->feeds.empty() ? RuleVerdict::kUnrouted : RuleVerdict::kAggregated;
      return false;
    }
  }
  if (!rule.stop) return true;
  run->Trace(rule.origin, ": stop");
  if (!outcome->sends.empty()) {
    outcome->verdict = RuleVerdict::kSent;
  } else {
    outcome->verdict = outcome->feeds.empty() ? RuleVerdict::kUnrouted : RuleVerdict::kAggregated;
  }
  return false;
}

bool RuleSet::Rewrite(const Rule& rule, std::optional<uint32_t> pattern, Run* run) const {
  if (!pattern) return true;
  std::string rewritten =
      rule.action == Action::kReplaceAll
          ? rule.replace->Apply(run->current())
          : Substitute(rule, *pattern, rule.templates[*pattern], true, run->current());
  if (rewritten == run->current()) return true;
  const NameError error = ValidateName(rewritten);
  run->Trace(rule.origin, ": ", patterns_.text(rule.patterns[*pattern]), " rewrites it to ",
             rewritten, error == NameError::kNone ? "" : ", which is no metric name: ",
             error == NameError::kNone ? "" : NameErrorText(error));
  if (error != NameError::kNone) {
    // What was sent under its old name stays sent.
    run->outcome->verdict =
        run->outcome->sends.empty() ? RuleVerdict::kBadName : RuleVerdict::kSent;
    return false;
  }
  run->name = run->AddName(CanonicalName(rewritten));
  patterns_.Match(run->current(), &run->matches);
  return true;
}

void RuleSet::Aggregate(const Rule& rule, uint32_t pattern, Run* run) const {
  const Aggregation& aggregation = aggregations_[rule.aggregation];
  for (uint32_t c = 0; c < aggregation.computes.size(); ++c) {
    const std::string output =
        Substitute(rule, pattern, rule.outputs[pattern][c], !rule.whole_outputs, run->current());
    const NameError error = ValidateName(output);
    run->Trace(rule.origin, ": ", patterns_.text(rule.patterns[pattern]),
               " aggregates it: ", ComputeText(aggregation.computes[c]), " every ",
               aggregation.interval_sec, " s into ", output,
               error == NameError::kNone ? "" : ", which is no metric name: left out");
    if (error != NameError::kNone) {
      ++run->outcome->bad_outputs;
      continue;
    }
    run->outcome->feeds.push_back({rule.aggregation, c, run->AddName(CanonicalName(output))});
  }
}

void RuleSet::AddSends(const std::vector<uint32_t>& clusters, uint32_t ring_key,
                       absl::string_view origin, Run* run) const {
  auto& sends = run->outcome->sends;
  for (const uint32_t c : clusters) {
    // Only rings look at the key: where a Shoal cluster keeps a series is not for rules to say.
    const uint32_t key = clusters_[c].kind() == ClusterKind::kRing ? ring_key : run->name;
    const bool is_new = std::none_of(sends.begin(), sends.end(), [&](const RuleOutcome::Send& s) {
      return s.cluster == c && s.name == run->name && s.key == key;
    });
    if (is_new) sends.push_back({c, run->name, key});
    if (run->trace == nullptr) continue;
    const RelayCluster& cluster = clusters_[c];
    std::vector<uint16_t> found(cluster.candidates());
    found.resize(cluster.Find(run->outcome->names[key], absl::MakeSpan(found)));
    run->Trace(origin, ": sent to ", cluster.name(), " (", cluster.Description(), ")",
               found.empty()       ? ""
               : cluster.FirstUp() ? ", the first that is up: "
                                   : ": ",
               absl::StrJoin(found, ", ", [&cluster](std::string* text, uint16_t member) {
                 text->append(DestinationText(cluster.members()[member]));
               }));
  }
}

std::string RuleSet::Substitute(const Rule& rule, uint32_t pattern, const NameTemplate& replacement,
                                bool keep_rest, absl::string_view name) const {
  const re2::RE2& regex = patterns_.regex(rule.patterns[pattern]);
  std::array<re2::StringPiece, kGroupsMax> pieces;
  const int count = 1 + replacement.groups();
  if (!regex.Match(Piece(name), 0, name.size(), RE2::UNANCHORED, pieces.data(), count)) {
    return std::string(name);
  }
  std::array<absl::string_view, kGroupsMax> groups;
  for (int i = 0; i < count; ++i)
    groups[static_cast<size_t>(i)] = View(pieces[static_cast<size_t>(i)]);
  const std::string text =
      replacement.Expand(absl::MakeConstSpan(groups.data(), static_cast<size_t>(count)));
  if (!keep_rest) return text;
  const size_t begin = static_cast<size_t>(groups[0].data() - name.data());
  return absl::StrCat(name.substr(0, begin), text, name.substr(begin + groups[0].size()));
}

}  // namespace shoal
