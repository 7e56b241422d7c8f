#include "base/metric/aggregation.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/carbon_ini.h"
#include "base/metric/aggregate_columns.h"
#include "base/metric/config_pattern.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// "min, max, p99": what is the method itself, or said twice, is kept once.
absl::Status ParseFurther(absl::string_view text, AggregationRule* rule) {
  for (const absl::string_view word : absl::StrSplit(text, ',')) {
    SHOAL_ASSIGN_OR_RETURN(const AggregateSpec spec,
                           ParseAggregate(absl::StripAsciiWhitespace(word)));
    if (spec == rule->aggregate()) continue;
    if (std::find(rule->also.begin(), rule->also.end(), spec) == rule->also.end())
      rule->also.push_back(spec);
  }
  if (rule->also.size() > kFurtherAggregatesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kFurtherAggregatesMax, " aggregates"));
  }
  return absl::OkStatus();
}

absl::StatusOr<AggregationRule> ParseRule(absl::string_view file, const CarbonIniSection& section) {
  AggregationRule rule;
  if (const CarbonIniEntry* entry = section.Find("aggregationmethod"); entry != nullptr) {
    const absl::StatusOr<AggregateSpec> spec = ParseAggregate(entry->value);
    if (!spec.ok()) return SectionError(file, entry->line, section, spec.status().message());
    rule.method = spec->method;
    rule.percentile = spec->percentile;
  }
  if (const CarbonIniEntry* entry = section.Find("aggregates"); entry != nullptr) {
    const absl::Status status = ParseFurther(entry->value, &rule);
    if (!status.ok()) return SectionError(file, entry->line, section, status.message());
  }
  if (const CarbonIniEntry* entry = section.Find("whisper"); entry != nullptr) {
    if (!absl::SimpleAtob(entry->value, &rule.whisper)) {
      return SectionError(file, entry->line, section,
                          absl::StrCat("whisper \"", entry->value, "\" is not true or false"));
    }
    if (rule.whisper && !rule.also.empty()) {
      return SectionError(file, entry->line, section,
                          "whisper keeps one aggregate: leave out aggregates");
    }
  }
  if (const CarbonIniEntry* entry = section.Find("xfilesfactor"); entry != nullptr) {
    double factor = 0;
    // The comparison is false for NaN.
    if (!absl::SimpleAtod(entry->value, &factor) || !(factor >= 0 && factor <= 1)) {
      return SectionError(
          file, entry->line, section,
          absl::StrCat("xFilesFactor \"", entry->value, "\" is not a number from 0 to 1"));
    }
    rule.x_files_factor = factor;
  }
  // A whisper file has a float: three of ten are less than a factor of 0.3.
  if (rule.whisper) rule.x_files_factor = static_cast<float>(rule.x_files_factor);
  const size_t columns = AggregateColumns(rule).size();
  if (columns > AggregateColumns::kColumnsMax) {
    return SectionError(file, section.line, section,
                        absl::StrCat("the aggregates take ", columns, " columns, more than ",
                                     AggregateColumns::kColumnsMax));
  }
  return rule;
}

}  // namespace

bool AggregationRule::Offers(AggregateSpec spec) const {
  return spec == aggregate() || std::find(also.begin(), also.end(), spec) != also.end();
}

struct AggregationRules::Rule {
  std::unique_ptr<RE2> pattern;  // null: matches every name
  AggregationRule rule;
};

AggregationRules::AggregationRules() = default;
AggregationRules::~AggregationRules() = default;
AggregationRules::AggregationRules(AggregationRules&&) noexcept = default;
AggregationRules& AggregationRules::operator=(AggregationRules&&) noexcept = default;

absl::StatusOr<AggregationRules> AggregationRules::Parse(absl::string_view text,
                                                         absl::string_view file) {
  static constexpr absl::string_view kKnownKeys[] = {
      "pattern",  "match-all",  "xfilesfactor", "aggregationmethod",
      "priority", "aggregates", "whisper"};
  SHOAL_ASSIGN_OR_RETURN(const auto sections, ParseCarbonIni(text, file));
  AggregationRules rules;
  for (const CarbonIniSection& section : sections) {
    WarnOfUnknownKeys(file, section, kKnownKeys);
    auto rule = std::make_unique<Rule>();
    if (section.Find("match-all") == nullptr) {
      SHOAL_ASSIGN_OR_RETURN(rule->pattern, CompileSectionPattern(file, section));
    }
    SHOAL_ASSIGN_OR_RETURN(rule->rule, ParseRule(file, section));
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

absl::StatusOr<AggregationRules> AggregationRules::Load(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return Parse(text, path);
}

AggregationRule AggregationRules::Find(absl::string_view name) const {
  const re2::StringPiece piece(name.data(), name.size());
  for (const auto& rule : rules_) {
    if (rule->pattern == nullptr || RE2::PartialMatch(piece, *rule->pattern)) return rule->rule;
  }
  return AggregationRule();
}

}  // namespace shoal
