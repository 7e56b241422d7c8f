// Functions that make one series of many: sumSeries and its family, groupByNode(s).

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "router/query/function_registry.h"
#include "router/query/series_node.h"

namespace shoal {
namespace {

// A common step of more than this is no use to anyone and would only overflow.
constexpr int64_t kCommonStepSecMax = int64_t{100} * 365 * 86400;

// The series brought to one step.
struct Rows {
  int64_t start_sec = 0;
  int64_t end_sec = 0;
  int64_t step_sec = 1;
  size_t count = 0;                         // of rows
  std::vector<std::vector<double>> values;  // by series; may end before `count`
  std::vector<size_t> offsets;              // by series: the row of its first value
};

absl::StatusOr<int64_t> CommonStep(const SeriesList& series) {
  int64_t step = 1;
  for (const TimeSeries& s : series) {
    if (step > kCommonStepSecMax / (s.step_sec / std::gcd(step, s.step_sec))) {
      return absl::InvalidArgumentError(
          "the steps of these series have no common multiple below 100 years");
    }
    step = std::lcm(step, s.step_sec);
  }
  return step;
}

// Graphite's normalisation: each series is consolidated to the least common multiple of the steps,
// counting from its own start. Rows are paired by index while the starts lie within one step of
// each other (as in Graphite, and always so when the same window was fetched); a series that starts
// whole steps later, for its archives reach less far back, is moved there, where Graphite would add
// its first point to everybody's first point.
absl::StatusOr<Rows> Normalize(SeriesList series, EvalBudget* budget) {
  Rows rows;
  SHOAL_ASSIGN_OR_RETURN(rows.step_sec, CommonStep(series));
  rows.start_sec = series.front().start_sec;
  rows.end_sec = series.front().end_sec;
  for (const TimeSeries& s : series) {
    rows.start_sec = std::min(rows.start_sec, s.start_sec);
    rows.end_sec = std::max(rows.end_sec, s.end_sec);
  }
  rows.end_sec -= FloorMod(rows.end_sec - rows.start_sec, rows.step_sec);
  for (TimeSeries& s : series) {
    SHOAL_RETURN_IF_ERROR(budget->Charge(static_cast<int64_t>(s.values.size())));
    const size_t offset = static_cast<size_t>((s.start_sec - rows.start_sec) / rows.step_sec);
    const int64_t per_point = rows.step_sec / s.step_sec;
    rows.values.push_back(
        per_point == 1 ? std::move(s.values)
                       : Consolidate(s.values, per_point, s.consolidation, s.x_files_factor));
    rows.offsets.push_back(offset);
    rows.count = std::max(rows.count, offset + rows.values.back().size());
  }
  return rows;
}

// One value of one row at a time, into running results: for functions whose result can be carried
// along.
template <typename Fold>
void FoldRows(const Rows& rows, std::vector<double>* result, std::vector<uint32_t>* known,
              Fold fold) {
  for (size_t i = 0; i < rows.values.size(); ++i) {
    double* into = result->data() + rows.offsets[i];
    uint32_t* count = known->data() + rows.offsets[i];
    const std::vector<double>& values = rows.values[i];
    for (size_t j = 0; j < values.size(); ++j) {
      if (std::isnan(values[j])) continue;
      into[j] = count[j] == 0 ? values[j] : fold(into[j], values[j]);
      ++count[j];
    }
  }
}

// Any function, from whole rows.
void GatherRows(const Rows& rows, AggFunc func, std::vector<double>* result,
                std::vector<uint32_t>* known) {
  std::vector<double> row(rows.values.size());
  for (size_t j = 0; j < rows.count; ++j) {
    uint32_t present = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      const size_t at = j - rows.offsets[i];  // wraps to a huge index before the first value
      row[i] = at < rows.values[i].size() ? rows.values[i][at] : kAbsent;
      present += std::isnan(row[i]) ? 0 : 1;
    }
    (*known)[j] = present;
    (*result)[j] = ApplyAggFunc(func, row);
  }
}

std::vector<double> AggregateRows(const Rows& rows, AggFunc func, double x_files_factor) {
  std::vector<double> result(rows.count, kAbsent);
  std::vector<uint32_t> known(rows.count);
  switch (func) {
    case AggFunc::kSum:
    case AggFunc::kAverage:
      FoldRows(rows, &result, &known, [](double a, double b) { return a + b; });
      break;
    case AggFunc::kMin:
      FoldRows(rows, &result, &known, [](double a, double b) { return b < a ? b : a; });
      break;
    case AggFunc::kMax:
      FoldRows(rows, &result, &known, [](double a, double b) { return b > a ? b : a; });
      break;
    case AggFunc::kLast:
      FoldRows(rows, &result, &known, [](double, double b) { return b; });
      break;
    default:
      GatherRows(rows, func, &result, &known);
      break;
  }
  for (size_t j = 0; j < rows.count; ++j) {
    if (!EnoughKnown(known[j], static_cast<double>(rows.values.size()), x_files_factor)) {
      result[j] = kAbsent;
    } else if (func == AggFunc::kAverage) {
      result[j] /= known[j];
    }
  }
  return result;
}

// The distinct path expressions, in order of first appearance.
std::string JoinPathExpressions(const SeriesList& series) {
  absl::flat_hash_set<absl::string_view> seen;
  std::string joined;
  for (const TimeSeries& s : series) {
    if (!seen.insert(s.path_expression).second) continue;
    if (seen.size() > 1) joined.push_back(',');
    joined.append(s.path_expression);
  }
  return joined;
}

// `func_name` as the user spelled it: the result is called <func_name>Series(...).
absl::StatusOr<SeriesList> AggregateSeries(SeriesList series, absl::string_view func_name,
                                           const EvalContext& context, double x_files_factor) {
  SeriesList result;
  if (series.empty()) return result;
  func_name = absl::StripSuffix(func_name, "Series");
  const std::optional<AggFunc> func = ParseAggFunc(func_name);
  SHOAL_CHECK(func.has_value());  // binding saw to it

  TimeSeries out;
  out.Rename(absl::StrCat(func_name, "Series(", JoinPathExpressions(series), ")"));
  out.tags = series.front().tags;
  for (const TimeSeries& s : series) out.tags.KeepCommon(s.tags);
  if (out.tags.Find("name") == nullptr) out.tags.Set("name", out.name);
  out.tags.Set("aggregatedBy", func_name);
  SHOAL_ASSIGN_OR_RETURN(const Rows rows, Normalize(std::move(series), context.budget));
  out.start_sec = rows.start_sec;
  out.end_sec = rows.end_sec;
  out.step_sec = rows.step_sec;
  out.x_files_factor = x_files_factor;
  out.values = AggregateRows(rows, *func, x_files_factor);
  result.push_back(std::move(out));
  return result;
}

// The plain aggregation that a function such as "sumSeries" or "avg" stands for.
absl::string_view AggregationOf(absl::string_view function) {
  if (function == "avg" || function == "averageSeries") return "average";
  return absl::StripSuffix(function, "Series");
}

template <const char* kFunc>
absl::StatusOr<SeriesList> AggregateBy(FunctionCall call) {
  return AggregateSeries(std::move(call.series), kFunc, call.context, call.context.x_files_factor);
}

absl::StatusOr<SeriesList> AggregateFunction(FunctionCall call) {
  const double x_files_factor = call.args.Has(2) ? call.args.Float(2) : call.context.x_files_factor;
  return AggregateSeries(std::move(call.series), call.args.String(1), call.context, x_files_factor);
}

absl::StatusOr<SeriesList> Group(FunctionCall call) { return std::move(call.series); }

absl::StatusOr<SeriesList> GroupBy(FunctionCall call, const std::string& callback,
                                   const std::vector<Value>& nodes) {
  std::vector<std::pair<std::string, SeriesList>> groups;
  absl::flat_hash_map<std::string, size_t> index;
  for (TimeSeries& s : call.series) {
    std::string key = NodesKey(s, nodes);
    const auto [it, is_new] = index.try_emplace(key, groups.size());
    if (is_new) groups.emplace_back(std::move(key), SeriesList());
    groups[it->second].second.push_back(std::move(s));
  }
  const absl::string_view func = AggregationOf(callback);
  SeriesList result;
  for (auto& [key, members] : groups) {
    SHOAL_ASSIGN_OR_RETURN(SeriesList one, AggregateSeries(std::move(members), func, call.context,
                                                           call.context.x_files_factor));
    one.front().name = key;  // the path expression stays that of the aggregate
    result.push_back(std::move(one.front()));
  }
  return result;
}

absl::StatusOr<SeriesList> GroupByNode(FunctionCall call) {
  const std::vector<Value> nodes = call.args.All(1);
  const std::string callback = call.args.String(2);
  return GroupBy(std::move(call), callback, nodes);
}

absl::StatusOr<SeriesList> GroupByNodes(FunctionCall call) {
  const std::string callback = call.args.String(1);
  const std::vector<Value> nodes = call.args.All(2);
  return GroupBy(std::move(call), callback, nodes);
}

constexpr char kSum[] = "sum";
constexpr char kAverage[] = "average";
constexpr char kMin[] = "min";
constexpr char kMax[] = "max";
constexpr char kDiff[] = "diff";
constexpr char kStddev[] = "stddev";
constexpr char kRange[] = "rangeOf";

}  // namespace

void AddAggregateFunctions(FunctionMap* functions) {
  const auto add = [functions](FunctionDef def) { (*functions)[def.name] = std::move(def); };
  const ParamDef lists{.name = "seriesLists", .required = true, .multiple = true};
  const ParamDef list{.name = "seriesList", .required = true};
  const auto add_aggregator = [&](absl::string_view name, auto* run, absl::string_view what) {
    add({.name = std::string(name),
         .group = "Combine",
         .description =
             absl::StrCat(what, " of the known values of all series at each time, as one series."),
         .params = {lists},
         .run = run,
         .aggregator = true});
  };
  add_aggregator("sumSeries", &AggregateBy<kSum>, "The sum");
  add_aggregator("sum", &AggregateBy<kSum>, "Short for sumSeries: the sum");
  add_aggregator("averageSeries", &AggregateBy<kAverage>, "The mean");
  add_aggregator("avg", &AggregateBy<kAverage>, "Short for averageSeries: the mean");
  add_aggregator("minSeries", &AggregateBy<kMin>, "The smallest");
  add_aggregator("maxSeries", &AggregateBy<kMax>, "The largest");
  add_aggregator("diffSeries", &AggregateBy<kDiff>, "The first less all others");
  add_aggregator("stddevSeries", &AggregateBy<kStddev>, "The population standard deviation");
  add_aggregator("rangeOfSeries", &AggregateBy<kRange>, "The span from smallest to largest");
  add({.name = "aggregate",
       .group = "Combine",
       .description = "One value of all series at each time, by the named aggregation function. "
                      "With xFilesFactor, "
                      "at least that share of the series must have a value.",
       .params = {list,
                  {.name = "func", .type = ParamType::kAggFunc, .required = true},
                  {.name = "xFilesFactor", .type = ParamType::kFloat}},
       .run = &AggregateFunction});
  add({.name = "group",
       .group = "Combine",
       .description = "All given lists of series as one list.",
       .params = {{.name = "seriesLists", .multiple = true}},
       .run = &Group});
  add({.name = "groupByNode",
       .group = "Combine",
       .description = "Groups the series by one node of their names (or one tag) and aggregates "
                      "each group to a series "
                      "named by that node.",
       .params = {list,
                  {.name = "nodeNum", .type = ParamType::kNodeOrTag, .required = true},
                  {.name = "callback",
                   .type = ParamType::kAggOrSeriesFunc,
                   .default_value = std::string("average")}},
       .run = &GroupByNode});
  add({.name = "groupByNodes",
       .group = "Combine",
       .description = "Groups the series by several nodes of their names (or tags) and aggregates "
                      "each group to a "
                      "series named by those nodes, joined with dots.",
       .params = {list,
                  {.name = "callback", .type = ParamType::kAggOrSeriesFunc, .required = true},
                  {.name = "nodes", .type = ParamType::kNodeOrTag, .multiple = true}},
       .run = &GroupByNodes});
}

}  // namespace shoal
