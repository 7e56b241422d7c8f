#include "router/rules/carbon_rules.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/carbon_ini.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "router/rules/rule_set_builder.h"

namespace shoal {
namespace {

constexpr int64_t kFrequencyMax = 366 * 86400;

struct Line {
  std::string origin;  // "FILE:LINE"
  absl::string_view text;
};

// The lines of a file without blanks around them; empty ones and comments left out.
std::vector<Line> LinesOf(const RuleFile& file) {
  std::vector<Line> lines;
  int number = 0;
  absl::string_view text = file.text;
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");  // the byte order mark that some editors leave
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    lines.push_back({absl::StrCat(file.path, ":", number), line});
  }
  return lines;
}

absl::Status ErrorAt(absl::string_view origin, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(origin, ": ", message));
}
absl::Status ErrorAt(absl::string_view origin, const absl::Status& status) {
  return ErrorAt(origin, status.message());
}

std::optional<bool> ParseBoolean(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == "true" || lower == "yes" || lower == "on" || lower == "1") return true;
  if (lower == "false" || lower == "no" || lower == "off" || lower == "0") return false;
  return std::nullopt;
}

std::optional<Aggregation::Compute> ParseMethod(absl::string_view name) {
  if (name == "sum") return Aggregation::Compute{.method = AggregateMethod::kSum};
  if (name == "avg") return Aggregation::Compute{.method = AggregateMethod::kAverage};
  if (name == "min") return Aggregation::Compute{.method = AggregateMethod::kMin};
  if (name == "max") return Aggregation::Compute{.method = AggregateMethod::kMax};
  if (name == "count") return Aggregation::Compute{.method = AggregateMethod::kCount};
  for (const double percentile : {50.0, 75.0, 80.0, 90.0, 95.0, 99.0}) {
    if (name == absl::StrCat("p", percentile)) {
      return Aggregation::Compute{AggregateMethod::kPercentile, percentile, true};
    }
  }
  if (name == "p999") return Aggregation::Compute{AggregateMethod::kPercentile, 99.9, true};
  return std::nullopt;
}

// Python refuses it, RE2 does not.
bool HasRepeatedField(absl::string_view regex) {
  absl::flat_hash_set<absl::string_view> names;
  for (size_t at = 0; (at = regex.find("(?P<", at)) != absl::string_view::npos;) {
    at += 4;
    if (!names.insert(regex.substr(at, regex.find('>', at) - at)).second) return true;
  }
  return false;
}

class Compiler {
 public:
  explicit Compiler(const CarbonRuleOptions& options) : options_(options) {}

  absl::StatusOr<RuleSet> Compile(const CarbonRuleFiles& files) {
    for (const RelayCluster& cluster : options_.clusters) {
      SHOAL_RETURN_IF_ERROR(builder_.AddCluster(cluster).status());
    }
    SHOAL_RETURN_IF_ERROR(AddLists(files));
    if (files.rewrite.present()) SHOAL_RETURN_IF_ERROR(ReadRewrites(files.rewrite));
    SHOAL_RETURN_IF_ERROR(AddRewrites(pre_));
    if (files.aggregation.present()) SHOAL_RETURN_IF_ERROR(AddAggregations(files.aggregation));
    SHOAL_RETURN_IF_ERROR(AddRewrites(post_));
    if (files.relay.present()) {
      SHOAL_RETURN_IF_ERROR(AddRelayRules(files.relay));
    } else {
      std::vector<uint32_t> clusters;
      for (const std::string& name : options_.default_clusters) {
        SHOAL_ASSIGN_OR_RETURN(const uint32_t cluster, builder_.FindCluster(name));
        clusters.push_back(cluster);
      }
      SHOAL_RETURN_IF_ERROR(builder_.Send("default", {}, std::move(clusters), "", true));
    }
    return std::move(builder_).Build();
  }

 private:
  struct RewriteRule {
    std::string origin;
    std::string pattern;
    std::string replacement;
  };

  absl::Status AddLists(const CarbonRuleFiles& files) {
    for (const Line& line : LinesOf(files.blacklist)) {
      const auto pattern = builder_.AddPattern(line.text, {});
      if (!pattern.ok()) return ErrorAt(line.origin, pattern.status());
      builder_.Drop(line.origin, {*pattern}, false, RuleVerdict::kBlacklisted);
    }
    std::vector<uint32_t> whitelist;
    for (const Line& line : LinesOf(files.whitelist)) {
      const auto pattern = builder_.AddPattern(line.text, {});
      if (!pattern.ok()) return ErrorAt(line.origin, pattern.status());
      whitelist.push_back(*pattern);
    }
    if (!whitelist.empty()) {
      builder_.Drop(files.whitelist.path, std::move(whitelist), true, RuleVerdict::kNotWhitelisted);
    }
    return absl::OkStatus();
  }

  absl::Status ReadRewrites(const RuleFile& file) {
    std::vector<RewriteRule>* section = nullptr;
    std::vector<RewriteRule> ignored;
    for (const Line& line : LinesOf(file)) {
      if (line.text.front() == '[' && line.text.back() == ']') {
        const std::string name = absl::AsciiStrToLower(line.text.substr(1, line.text.size() - 2));
        section = name == "pre" ? &pre_ : name == "post" ? &post_ : &ignored;
        if (section == &ignored) {
          LogWarning("rules", line.origin, ": rewrite rules of [", name,
                     "] are never applied: only those of [pre] and [post] are");
        } else if (!section->empty()) {
          LogWarning("rules", line.origin, ": replaces the rules of [", name, "] above it");
        }
        section->clear();
        continue;
      }
      const size_t equals = line.text.find('=');
      if (equals == absl::string_view::npos) {
        return ErrorAt(line.origin, "neither [section] nor pattern = replacement");
      }
      if (section == nullptr) return ErrorAt(line.origin, "a rule before [pre] or [post]");
      section->push_back({line.origin,
                          std::string(absl::StripAsciiWhitespace(line.text.substr(0, equals))),
                          std::string(absl::StripAsciiWhitespace(line.text.substr(equals + 1)))});
    }
    return absl::OkStatus();
  }

  absl::Status AddRewrites(const std::vector<RewriteRule>& rules) {
    for (const RewriteRule& rule : rules) {
      const auto pattern = builder_.AddPattern(rule.pattern, {});
      if (!pattern.ok()) return ErrorAt(rule.origin, pattern.status());
      const absl::Status status = builder_.ReplaceAll(rule.origin, *pattern, rule.replacement);
      if (!status.ok()) return ErrorAt(rule.origin, status);
    }
    return absl::OkStatus();
  }

  // "output_template (frequency) = method input_pattern"
  absl::Status AddAggregations(const RuleFile& file) {
    const std::vector<Line> lines = LinesOf(file);
    for (const Line& line : lines) {
      const size_t equals = line.text.find('=');
      if (equals == absl::string_view::npos) return ErrorAt(line.origin, kAggregationSyntax);
      const std::vector<absl::string_view> left =
          absl::StrSplit(line.text.substr(0, equals), absl::ByAnyChar(" \t"), absl::SkipEmpty());
      const std::vector<absl::string_view> right =
          absl::StrSplit(line.text.substr(equals + 1), absl::ByAnyChar(" \t"), absl::SkipEmpty());
      if (left.size() != 2 || right.size() != 2) return ErrorAt(line.origin, kAggregationSyntax);

      Aggregation aggregation;
      aggregation.origin = line.origin;
      absl::string_view frequency = left[1];
      while (absl::ConsumePrefix(&frequency, "(")) {
      }
      while (absl::ConsumeSuffix(&frequency, ")")) {
      }
      if (!absl::SimpleAtoi(frequency, &aggregation.interval_sec) || aggregation.interval_sec < 1 ||
          aggregation.interval_sec > kFrequencyMax) {
        return ErrorAt(line.origin, absl::StrCat("\"", left[1], "\" is no frequency in seconds"));
      }
      aggregation.expire_sec = aggregation.interval_sec * options_.max_aggregation_intervals;
      const auto compute = ParseMethod(right[0]);
      if (!compute) {
        return ErrorAt(line.origin, absl::StrCat("\"", right[0],
                                                 "\" is no method: sum, avg, min, "
                                                 "max, count, p50, p75, p80, p90, p95, p99, p999"));
      }
      aggregation.computes = {*compute};
      const std::string regex = CarbonInputRegex(right[1]);
      if (HasRepeatedField(regex)) {
        return ErrorAt(line.origin, absl::StrCat("\"", right[1], "\" has a field twice"));
      }
      const auto pattern = builder_.AddPattern(regex, {});
      if (!pattern.ok()) return ErrorAt(line.origin, pattern.status());
      const absl::Status status =
          builder_.AggregateCarbon(std::move(aggregation), *pattern, left[0]);
      if (!status.ok()) return ErrorAt(line.origin, status);
    }
    if (!lines.empty()) builder_.EndAggregation(file.path, options_.forward_all);
    return absl::OkStatus();
  }

  absl::Status AddRelayRules(const RuleFile& file) {
    SHOAL_ASSIGN_OR_RETURN(const auto sections, ParseCarbonIni(file.text, file.path));
    std::optional<std::pair<std::string, std::vector<uint32_t>>> fallback;
    for (const CarbonIniSection& section : sections) {
      const auto at = [&](const CarbonIniEntry* entry) {
        return absl::StrCat(file.path, ":", entry == nullptr ? section.line : entry->line, ": [",
                            section.name, "]");
      };
      for (const CarbonIniEntry& entry : section.entries) {
        if (entry.key != "destinations" && entry.key != "pattern" && entry.key != "default" &&
            entry.key != "continue") {
          LogWarning("rules", at(&entry), ": ", entry.key, ": unknown setting, ignored");
        }
      }
      const CarbonIniEntry* const destinations = section.Find("destinations");
      if (destinations == nullptr) return ErrorAt(at(nullptr), "no destinations");
      const auto clusters = Destinations(section.name, destinations->value);
      if (!clusters.ok()) return ErrorAt(at(destinations), clusters.status());

      const CarbonIniEntry* const text = section.Find("pattern");
      const CarbonIniEntry* const is_default = section.Find("default");
      if (text != nullptr && is_default != nullptr) {
        return ErrorAt(at(is_default), "both pattern and default");
      }
      if (is_default != nullptr) {
        const auto yes = ParseBoolean(is_default->value);
        if (!yes) return ErrorAt(at(is_default), "default is neither true nor false");
        if (!*yes) continue;
        if (fallback) return ErrorAt(at(is_default), "a second default rule");
        fallback = {at(nullptr), *clusters};
        continue;
      }
      // As in carbon, a section with neither is no rule at all.
      if (text == nullptr) {
        LogWarning("rules", at(nullptr), ": neither pattern nor default: never applied");
        continue;
      }
      const auto pattern = builder_.AddPattern(text->value, {.ignore_case = true});
      if (!pattern.ok()) return ErrorAt(at(text), pattern.status());
      bool go_on = false;
      if (const CarbonIniEntry* const entry = section.Find("continue"); entry != nullptr) {
        const auto yes = ParseBoolean(entry->value);
        if (!yes) return ErrorAt(at(entry), "continue is neither true nor false");
        go_on = *yes;
      }
      SHOAL_RETURN_IF_ERROR(builder_.Send(at(text), {*pattern}, *clusters, "", !go_on));
    }
    if (!fallback) return ErrorAt(file.path, "no section with default = true");
    return builder_.Send(std::move(fallback->first), {}, std::move(fallback->second), "", true);
  }

  // The clusters of "HOST:PORT[:INSTANCE], ...": one that forwards to all of them, and the known
  // ones that are named.
  absl::StatusOr<std::vector<uint32_t>> Destinations(absl::string_view section,
                                                     absl::string_view text) {
    std::vector<uint32_t> clusters;
    std::vector<Destination> members;
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      part = absl::StripAsciiWhitespace(part);
      if (part.empty()) continue;
      if (const auto known = builder_.FindCluster(part); known.ok()) {
        clusters.push_back(*known);
        continue;
      }
      SHOAL_ASSIGN_OR_RETURN(auto member, ParseDestination(part));
      if (std::find(members.begin(), members.end(), member) != members.end()) {
        return absl::InvalidArgumentError(absl::StrCat("destination ", part, " is there twice"));
      }
      members.push_back(std::move(member));
    }
    if (!members.empty()) {
      SHOAL_ASSIGN_OR_RETURN(
          auto cluster, RelayCluster::Forward(absl::StrCat("[", section, "]"), std::move(members)));
      SHOAL_ASSIGN_OR_RETURN(const uint32_t number, builder_.AddCluster(std::move(cluster)));
      clusters.push_back(number);
    }
    if (clusters.empty()) return absl::InvalidArgumentError("no destinations");
    return clusters;
  }

  static constexpr absl::string_view kAggregationSyntax =
      "an aggregation rule is: output_template (frequency) = method input_pattern";

  const CarbonRuleOptions& options_;
  RuleSetBuilder builder_;
  std::vector<RewriteRule> pre_;
  std::vector<RewriteRule> post_;
};

}  // namespace

absl::StatusOr<RuleSet> CompileCarbonRules(const CarbonRuleFiles& files,
                                           const CarbonRuleOptions& options) {
  return Compiler(options).Compile(files);
}

std::string CarbonInputRegex(absl::string_view input_pattern) {
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(input_pattern, '.')) {
    // A field with its text around it; carbon looks for << and >> first, then for < and >.
    const auto field = [part](absl::string_view open, absl::string_view close,
                              absl::string_view content) -> std::optional<std::string> {
      const size_t begin = part.find(open);
      const size_t end = part.find(close);
      if (begin == absl::string_view::npos || end == absl::string_view::npos ||
          end < begin + open.size()) {
        return std::nullopt;
      }
      const absl::string_view name = part.substr(begin + open.size(), end - begin - open.size());
      return absl::StrCat(part.substr(0, begin), "(?P<", name, ">", content, ")",
                          part.substr(end + close.size()));
    };
    if (auto across = field("<<", ">>", ".+?")) {
      parts.push_back(*std::move(across));
    } else if (auto node = field("<", ">", "[^.]+?")) {
      parts.push_back(*std::move(node));
    } else if (part == "*") {
      parts.emplace_back("[^.]+");
    } else {
      parts.push_back(absl::StrReplaceAll(part, {{"*", "[^.]*"}}));
    }
  }
  std::string regex = "\\A(?:";
  for (size_t i = 0; i < parts.size(); ++i) absl::StrAppend(&regex, i == 0 ? "" : "\\.", parts[i]);
  return regex + "$)";
}

}  // namespace shoal
