#include "base/metric/aggregation.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/carbon_ini.h"
#include "base/metric/config_pattern.h"
#include "base/metric/series.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

struct NamedMethod {
  const char* name;
  AggregationMethod method;
};
// A method's own name comes first, then its other spellings.
constexpr NamedMethod kMethods[] = {
    {"average", AggregationMethod::kAverage},   {"avg", AggregationMethod::kAverage},
    {"sum", AggregationMethod::kSum},           {"total", AggregationMethod::kSum},
    {"last", AggregationMethod::kLast},         {"max", AggregationMethod::kMax},
    {"min", AggregationMethod::kMin},           {"avg_zero", AggregationMethod::kAvgZero},
    {"absmax", AggregationMethod::kAbsMax},     {"absmin", AggregationMethod::kAbsMin},
    {"first", AggregationMethod::kFirst},       {"count", AggregationMethod::kCount},
    {"median", AggregationMethod::kMedian},     {"range", AggregationMethod::kRange},
    {"multiply", AggregationMethod::kMultiply}, {"stddev", AggregationMethod::kStddev},
};

// Left to right, as Graphite adds: the last bit of a double depends on the order.
template <typename Step>
double Fold(absl::Span<const double> values, double start, Step step) {
  double result = start;
  for (const double value : values) {
    if (!std::isnan(value)) result = step(result, value);
  }
  return result;
}

double Sum(absl::Span<const double> values) {
  return Fold(values, 0.0, [](double sum, double value) { return sum + value; });
}

// The first of the values that no other one beats.
template <typename Beats>
double Best(absl::Span<const double> values, Beats beats) {
  return Fold(values, kAbsent, [&beats](double best, double value) {
    return std::isnan(best) || beats(value, best) ? value : best;
  });
}

double Min(absl::Span<const double> values) {
  return Best(values, [](double a, double b) { return a < b; });
}

double Max(absl::Span<const double> values) {
  return Best(values, [](double a, double b) { return a > b; });
}

double Median(absl::Span<const double> values) {
  std::vector<double> known;
  known.reserve(values.size());
  std::copy_if(values.begin(), values.end(), std::back_inserter(known),
               [](double value) { return !std::isnan(value); });
  const auto middle = known.begin() + static_cast<ptrdiff_t>(known.size() / 2);
  std::nth_element(known.begin(), middle, known.end());
  if (known.size() % 2 == 1) return *middle;
  return (*std::max_element(known.begin(), middle) + *middle) / 2;
}

double Stddev(absl::Span<const double> values, double count) {
  const double mean = Sum(values) / count;
  const double squares = Fold(values, 0.0, [mean](double sum, double value) {
    return sum + (value - mean) * (value - mean);
  });
  return std::sqrt(squares / count);
}

absl::StatusOr<AggregationRule> ParseRule(absl::string_view file, const CarbonIniSection& section) {
  AggregationRule rule;
  if (const CarbonIniEntry* entry = section.Find("aggregationmethod"); entry != nullptr) {
    auto method = ParseAggregationMethod(entry->value);
    if (!method.ok()) return SectionError(file, entry->line, section, method.status().message());
    rule.method = *method;
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
  return rule;
}

}  // namespace

absl::StatusOr<AggregationMethod> ParseAggregationMethod(absl::string_view name) {
  for (const NamedMethod& named : kMethods) {
    if (name == named.name) return named.method;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown aggregation method \"", name, "\""));
}

const char* AggregationMethodName(AggregationMethod method) {
  for (const NamedMethod& named : kMethods) {
    if (method == named.method) return named.name;
  }
  return "unknown";
}

bool IsKnownAggregationMethod(uint8_t code) {
  return code >= static_cast<uint8_t>(AggregationMethod::kAverage) &&
         code <= static_cast<uint8_t>(AggregationMethod::kStddev);
}

double Aggregate(AggregationMethod method, absl::Span<const double> values, double x_files_factor) {
  const double count = Fold(values, 0.0, [](double known, double) { return known + 1; });
  const double slots = static_cast<double>(values.size());
  if (count == 0 || count / slots < x_files_factor) return kAbsent;
  switch (method) {
    case AggregationMethod::kAverage:
      return Sum(values) / count;
    case AggregationMethod::kSum:
      return Sum(values);
    case AggregationMethod::kLast:
      return Fold(values, kAbsent, [](double, double value) { return value; });
    case AggregationMethod::kMax:
      return Max(values);
    case AggregationMethod::kMin:
      return Min(values);
    case AggregationMethod::kAvgZero:
      return Sum(values) / slots;
    case AggregationMethod::kAbsMax:
      return Best(values, [](double a, double b) { return std::abs(a) > std::abs(b); });
    case AggregationMethod::kAbsMin:
      return Best(values, [](double a, double b) { return std::abs(a) < std::abs(b); });
    case AggregationMethod::kFirst:
      return Best(values, [](double, double) { return false; });
    case AggregationMethod::kCount:
      return count;
    case AggregationMethod::kMedian:
      return Median(values);
    case AggregationMethod::kRange:
      return Max(values) - Min(values);
    case AggregationMethod::kMultiply:
      return Fold(values, 1.0, [](double product, double value) { return product * value; });
    case AggregationMethod::kStddev:
      return Stddev(values, count);
  }
  return kAbsent;
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
  static constexpr absl::string_view kKnownKeys[] = {"pattern", "match-all", "xfilesfactor",
                                                     "aggregationmethod", "priority"};
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
