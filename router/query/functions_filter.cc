// Functions that choose among series and order them.

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "router/query/aggregate_func.h"
#include "router/query/function_registry.h"
#include "router/query/series_node.h"

namespace shoal {
namespace {

// Graphite sorts an absent aggregate below everything.
double SortKey(const TimeSeries& series, AggFunc func) {
  const double key = ApplyAggFunc(func, series.values);
  return std::isnan(key) ? -std::numeric_limits<double>::infinity() : key;
}

// Stable, so that equals keep their order whichever the direction.
absl::StatusOr<SeriesList> SortedBy(SeriesList series, absl::string_view func_name, bool descending,
                                    EvalBudget* budget) {
  const std::optional<AggFunc> func = ParseAggFunc(func_name);
  if (!func)
    return absl::InvalidArgumentError(
        absl::StrCat("unknown aggregation function \"", func_name, "\""));
  std::vector<std::pair<double, size_t>> order;
  order.reserve(series.size());
  for (size_t i = 0; i < series.size(); ++i) {
    SHOAL_RETURN_IF_ERROR(budget->Charge(static_cast<int64_t>(series[i].values.size())));
    order.emplace_back(SortKey(series[i], *func), i);
  }
  std::stable_sort(order.begin(), order.end(), [descending](const auto& a, const auto& b) {
    return descending ? a.first > b.first : a.first < b.first;
  });
  SeriesList sorted;
  sorted.reserve(series.size());
  for (const auto& [key, i] : order) sorted.push_back(std::move(series[i]));
  return sorted;
}

// Python's list[:n].
SeriesList FirstOf(SeriesList series, int64_t n) {
  series.resize(PythonSlice(0, n, series.size()).end);
  return series;
}

absl::StatusOr<SeriesList> TopOf(FunctionCall call, absl::string_view func_name, bool descending) {
  const int64_t n = call.args.Integer(1);
  SHOAL_ASSIGN_OR_RETURN(SeriesList sorted, SortedBy(std::move(call.series), func_name, descending,
                                                     call.context.budget));
  return FirstOf(std::move(sorted), n);
}

absl::StatusOr<SeriesList> Highest(FunctionCall call) {
  const std::string func_name = call.args.String(2);
  return TopOf(std::move(call), func_name, true);
}

absl::StatusOr<SeriesList> Lowest(FunctionCall call) {
  const std::string func_name = call.args.String(2);
  return TopOf(std::move(call), func_name, false);
}

template <const char* kFunc, bool kDescending>
absl::StatusOr<SeriesList> TopBy(FunctionCall call) {
  return TopOf(std::move(call), kFunc, kDescending);
}

absl::StatusOr<SeriesList> SortBy(FunctionCall call) {
  const std::string func_name = call.args.String(1);
  const bool reverse = call.args.Boolean(2);
  return SortedBy(std::move(call.series), func_name, reverse, call.context.budget);
}

absl::StatusOr<SeriesList> Limit(FunctionCall call) {
  const int64_t n = call.args.Integer(1);
  return FirstOf(std::move(call.series), n);
}

constexpr char kAverage[] = "average";
constexpr char kCurrent[] = "current";
constexpr char kMax[] = "max";

}  // namespace

void AddFilterFunctions(FunctionMap* functions) {
  const auto add = [functions](FunctionDef def) { (*functions)[def.name] = std::move(def); };
  const ParamDef list{.name = "seriesList", .required = true};
  const ParamDef count{.name = "n", .type = ParamType::kInteger, .required = true};
  const ParamDef func{
      .name = "func", .type = ParamType::kAggFunc, .default_value = std::string("average")};
  const auto add_filter = [&](absl::string_view name, std::vector<ParamDef> params, auto* run,
                              absl::string_view description) {
    add({.name = std::string(name),
         .group = "Filter Series",
         .description = std::string(description),
         .params = std::move(params),
         .run = run});
  };
  add_filter(
      "highest", {list, count, func}, &Highest,
      "The n series with the highest value of the named aggregation function, highest first.");
  add_filter("lowest", {list, count, func}, &Lowest,
             "The n series with the lowest value of the named aggregation function, lowest first.");
  add_filter("highestAverage", {list, count}, &TopBy<kAverage, true>,
             "The n series with the highest mean.");
  add_filter("highestCurrent", {list, count}, &TopBy<kCurrent, true>,
             "The n series with the highest last value.");
  add_filter("highestMax", {list, count}, &TopBy<kMax, true>,
             "The n series with the highest maximum.");
  add_filter("lowestAverage", {list, count}, &TopBy<kAverage, false>,
             "The n series with the lowest mean.");
  add_filter("lowestCurrent", {list, count}, &TopBy<kCurrent, false>,
             "The n series with the lowest last value.");
  add_filter("limit", {list, count}, &Limit, "The first n series.");
  add({.name = "sortBy",
       .group = "Sorting",
       .description = "Sorts the series by the value of the named aggregation function, lowest "
                      "first unless reverse.",
       .params = {list,
                  func,
                  {.name = "reverse", .type = ParamType::kBoolean, .default_value = false}},
       .run = &SortBy});
}

}  // namespace shoal
