// Functions that change the values of each series on its own.

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "router/query/aggregate_func.h"
#include "router/query/function_registry.h"
#include "router/query/number_text.h"
#include "router/query/time_offset.h"

namespace shoal {
namespace {

// Replaces every known value by fn(value) and charges for it.
template <typename Fn>
absl::Status MapValues(TimeSeries* series, EvalBudget* budget, Fn fn) {
  SHOAL_RETURN_IF_ERROR(budget->Charge(static_cast<int64_t>(series->values.size())));
  for (double& v : series->values) v = fn(v);  // NaN stays NaN through arithmetic
  return absl::OkStatus();
}

absl::StatusOr<SeriesList> Scale(FunctionCall call) {
  const double factor = call.args.Float(1);
  for (TimeSeries& s : call.series) {
    s.tags.Set("scale", FloatText(factor));
    s.Rename(absl::StrCat("scale(", s.name, ",", ShortFloatText(factor), ")"));
    SHOAL_RETURN_IF_ERROR(
        MapValues(&s, call.context.budget, [factor](double v) { return v * factor; }));
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> Offset(FunctionCall call) {
  const double amount = call.args.Float(1);
  for (TimeSeries& s : call.series) {
    s.tags.Set("offset", FloatText(amount));
    s.Rename(absl::StrCat("offset(", s.name, ",", ShortFloatText(amount), ")"));
    SHOAL_RETURN_IF_ERROR(
        MapValues(&s, call.context.budget, [amount](double v) { return v + amount; }));
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> Absolute(FunctionCall call) {
  for (TimeSeries& s : call.series) {
    s.tags.Set("absolute", "1");
    s.Rename(absl::StrCat("absolute(", s.name, ")"));
    SHOAL_RETURN_IF_ERROR(
        MapValues(&s, call.context.budget, [](double v) { return std::fabs(v); }));
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> Derivative(FunctionCall call) {
  for (TimeSeries& s : call.series) {
    s.tags.Set("derivative", "1");
    s.Rename(absl::StrCat("derivative(", s.name, ")"));
    double previous = kAbsent;
    SHOAL_RETURN_IF_ERROR(MapValues(&s, call.context.budget, [&previous](double v) {
      const double delta = v - previous;
      previous = v;
      return delta;
    }));
  }
  return std::move(call.series);
}

// Growth of a counter from one point to the next.
class CounterDelta {
 public:
  explicit CounterDelta(const Arguments& args)
      : max_(args.Has(1) ? args.Float(1) : kAbsent), min_(args.Has(2) ? args.Float(2) : kAbsent) {}

  void Reset() { previous_ = kAbsent; }

  // Absent for the first point, after a gap, after a value outside [min, max], and for a counter
  // that went back when it is not known where it wraps.
  double Next(double value) {
    if (value > max_ || value < min_) {  // false for a bound that was not given
      previous_ = kAbsent;
      return kAbsent;
    }
    const double previous = previous_;
    previous_ = value;
    if (std::isnan(previous) || std::isnan(value)) return kAbsent;
    if (value >= previous) return value - previous;
    if (!std::isnan(max_)) return max_ + 1 + value - previous - (std::isnan(min_) ? 0 : min_);
    if (!std::isnan(min_)) return value - min_;
    return kAbsent;
  }

 private:
  const double max_;  // absent when not given
  const double min_;
  double previous_ = kAbsent;
};

absl::StatusOr<SeriesList> NonNegativeDerivative(FunctionCall call) {
  CounterDelta delta(call.args);
  for (TimeSeries& s : call.series) {
    s.tags.Set("nonNegativeDerivative", "1");
    s.Rename(absl::StrCat("nonNegativeDerivative(", s.name, ")"));
    delta.Reset();
    SHOAL_RETURN_IF_ERROR(
        MapValues(&s, call.context.budget, [&delta](double v) { return delta.Next(v); }));
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> PerSecond(FunctionCall call) {
  CounterDelta delta(call.args);
  for (TimeSeries& s : call.series) {
    s.tags.Set("perSecond", "1");
    s.Rename(absl::StrCat("perSecond(", s.name, ")"));
    delta.Reset();
    const double step = static_cast<double>(s.step_sec);
    SHOAL_RETURN_IF_ERROR(MapValues(&s, call.context.budget, [&delta, step](double v) {
      return RoundToMicro(delta.Next(v) / step);
    }));
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> Integral(FunctionCall call) {
  for (TimeSeries& s : call.series) {
    s.tags.Set("integral", "1");
    s.Rename(absl::StrCat("integral(", s.name, ")"));
    double sum = 0;
    SHOAL_RETURN_IF_ERROR(MapValues(&s, call.context.budget, [&sum](double v) {
      if (std::isnan(v)) return v;
      sum += v;
      return sum;
    }));
  }
  return std::move(call.series);
}

// Fills the absent run before index `end` with the value in front of it, when there is one and the
// run fits the limit.
void FillRun(std::vector<double>* values, size_t end, size_t run, double limit) {
  if (run == 0 || run == end || static_cast<double>(run) > limit) return;
  const double value = (*values)[end - run - 1];
  std::fill(values->begin() + static_cast<std::ptrdiff_t>(end - run),
            values->begin() + static_cast<std::ptrdiff_t>(end), value);
}

absl::StatusOr<SeriesList> KeepLastValue(FunctionCall call) {
  const Value& given = call.args.Get(1);
  const double limit = std::holds_alternative<int64_t>(given)
                           ? static_cast<double>(call.args.Integer(1))
                           : call.args.Float(1);
  for (TimeSeries& s : call.series) {
    s.Rename(absl::StrCat("keepLastValue(", s.name, ")"));
    SHOAL_RETURN_IF_ERROR(call.context.budget->Charge(static_cast<int64_t>(s.values.size())));
    size_t run = 0;
    for (size_t i = 0; i < s.values.size(); ++i) {
      if (std::isnan(s.values[i])) {
        ++run;
        continue;
      }
      FillRun(&s.values, i, run, limit);
      run = 0;
    }
    FillRun(&s.values, s.values.size(), run, limit);
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> SetConsolidation(SeriesList series, const std::string& name) {
  const std::optional<Consolidation> func = ParseConsolidation(name);
  if (!func)
    return absl::InvalidArgumentError(
        absl::StrCat("consolidateBy(): unknown function \"", name, "\""));
  for (TimeSeries& s : series) {
    s.consolidation = *func;
    s.tags.Set("consolidateBy", name);
    s.Rename(absl::StrCat("consolidateBy(", s.name, ",\"", name, "\")"));
  }
  return series;
}

absl::StatusOr<SeriesList> ConsolidateByFunction(FunctionCall call) {
  return SetConsolidation(std::move(call.series), call.args.String(1));
}

absl::StatusOr<SeriesList> Cumulative(FunctionCall call) {
  return SetConsolidation(std::move(call.series), "sum");
}

std::optional<AggregateSpec> ConsolidateByAggregate(const Arguments& args) {
  const absl::StatusOr<AggregateSpec> spec = ParseAggregate(args.String(1));
  return spec.ok() ? std::make_optional(*spec) : std::nullopt;
}

std::optional<AggregateSpec> CumulativeAggregate(const Arguments&) {
  return AggregateSpec{AggregationMethod::kSum, 0};
}

// The buckets of one series: [start, start + interval), ... up to `end`.
struct Buckets {
  int64_t start_sec;
  int64_t end_sec;
  int64_t interval_sec;
};

std::vector<double> FillBuckets(const TimeSeries& s, const Buckets& buckets, AggFunc func) {
  // Fractional on purpose: a bucket of 90 s over steps of 60 s should have 1.5 points.
  const double nominal =
      static_cast<double>(buckets.interval_sec) / static_cast<double>(s.step_sec);
  // Values past the reported end do not count, as everywhere in Graphite.
  const int64_t span = std::max<int64_t>(0, s.end_sec - s.start_sec);
  const size_t count =
      std::min(s.values.size(), static_cast<size_t>((span + s.step_sec - 1) / s.step_sec));
  std::vector<double> result;
  size_t i = 0;
  for (int64_t start = buckets.start_sec; start < buckets.end_sec; start += buckets.interval_sec) {
    const size_t first = i;
    size_t known = 0;
    while (i < count &&
           s.start_sec + static_cast<int64_t>(i) * s.step_sec < start + buckets.interval_sec) {
      known += std::isnan(s.values[i]) ? 0 : 1;
      ++i;
    }
    result.push_back(
        EnoughKnown(known, nominal, s.x_files_factor)
            ? ApplyAggFunc(func, absl::MakeConstSpan(s.values).subspan(first, i - first))
            : kAbsent);
  }
  return result;
}

absl::StatusOr<SeriesList> Summarize(FunctionCall call) {
  const std::string& interval_text = call.args.String(1);
  const std::string& func_name = call.args.String(2);
  const bool align_to_from = call.args.Boolean(3);
  SHOAL_ASSIGN_OR_RETURN(const int64_t interval, ParseTimeOffset(interval_text));
  if (interval <= 0) {
    return absl::InvalidArgumentError(
        "summarize(): parameter \"intervalString\" must be longer than 0 seconds");
  }
  const std::optional<AggFunc> func = ParseAggFunc(func_name);
  if (!func) {
    return absl::InvalidArgumentError(
        absl::StrCat("summarize(): unknown function \"", func_name, "\""));
  }
  for (TimeSeries& s : call.series) {
    Buckets buckets{.start_sec = s.start_sec, .end_sec = s.end_sec, .interval_sec = interval};
    if (!align_to_from) {
      buckets.start_sec = s.start_sec - FloorMod(s.start_sec, interval);
      buckets.end_sec = s.end_sec - FloorMod(s.end_sec, interval) + interval;
    }
    const int64_t span = std::max<int64_t>(0, buckets.end_sec - buckets.start_sec);
    const int64_t count = (span + interval - 1) / interval;
    SHOAL_RETURN_IF_ERROR(
        call.context.budget->Charge(count + static_cast<int64_t>(s.values.size())));
    s.values = FillBuckets(s, buckets, *func);
    s.tags.Set("summarize", interval_text);
    s.tags.Set("summarizeFunction", func_name);
    s.Rename(absl::StrCat("summarize(", s.name, ", \"", interval_text, "\", \"", func_name, "\"",
                          align_to_from ? ", true)" : ")"));
    s.start_sec = buckets.start_sec;
    s.end_sec = buckets.start_sec + count * interval;
    s.step_sec = interval;
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> ConstantLine(FunctionCall call) {
  const double value = call.args.Float(0);
  TimeSeries line;
  line.name = FloatText(value);
  line.path_expression = absl::StrCat("constantLine(", line.name, ")");
  line.tags = Tags::FromName(line.name);
  line.start_sec = call.context.range.from_sec;
  line.end_sec = call.context.range.until_sec;
  line.step_sec = std::max<int64_t>(1, (line.end_sec - line.start_sec) / 2);
  line.values.assign(3, value);
  line.x_files_factor = call.context.x_files_factor;
  SeriesList result;
  result.push_back(std::move(line));
  return result;
}

}  // namespace

void AddTransformFunctions(FunctionMap* functions) {
  const auto add = [functions](FunctionDef def) { (*functions)[def.name] = std::move(def); };
  const ParamDef list{.name = "seriesList", .required = true};
  const ParamDef factor{.name = "factor", .type = ParamType::kFloat, .required = true};
  const ParamDef max_value{.name = "maxValue", .type = ParamType::kFloat};
  const ParamDef min_value{.name = "minValue", .type = ParamType::kFloat};
  add({.name = "scale",
       .group = "Transform",
       .description = "Multiplies every value by a constant.",
       .params = {list, factor},
       .run = &Scale});
  add({.name = "offset",
       .group = "Transform",
       .description = "Adds a constant, which may be negative, to every value.",
       .params = {list, factor},
       .run = &Offset});
  add({.name = "absolute",
       .group = "Transform",
       .description = "The absolute value of every value.",
       .params = {list},
       .run = &Absolute});
  add({.name = "derivative",
       .group = "Transform",
       .description = "The difference of each value to the one before. A gap costs two points.",
       .params = {list},
       .run = &Derivative});
  add({.name = "nonNegativeDerivative",
       .group = "Transform",
       .description = "The growth of a counter from point to point; absent where the counter was "
                      "reset, unless maxValue "
                      "or minValue say where it wraps.",
       .params = {list, max_value, min_value},
       .run = &NonNegativeDerivative});
  add({.name = "perSecond",
       .group = "Transform",
       .description = "The growth of a counter per second: nonNegativeDerivative over the step, to "
                      "six decimals.",
       .params = {list, max_value, min_value},
       .run = &PerSecond});
  add({.name = "integral",
       .group = "Transform",
       .description = "The sum of all values so far.",
       .params = {list},
       .run = &Integral});
  add({.name = "keepLastValue",
       .group = "Transform",
       .description =
           "Repeats the last value over gaps of at most `limit` points; longer gaps stay.",
       .params = {list,
                  {.name = "limit",
                   .type = ParamType::kIntOrInf,
                   .default_value = std::numeric_limits<double>::infinity()}},
       .run = &KeepLastValue});
  add({.name = "summarize",
       .group = "Transform",
       .description = "One value for each interval, by the named aggregation function. Intervals "
                      "are multiples since the "
                      "epoch, or count from the start of the series with alignToFrom.",
       .params = {list,
                  {.name = "intervalString",
                   .type = ParamType::kInterval,
                   .required = true,
                   .suggestions = {std::string("10min"), std::string("1h"), std::string("1d")}},
                  {.name = "func",
                   .type = ParamType::kAggFunc,
                   .default_value = std::string("sum")},
                  {.name = "alignToFrom", .type = ParamType::kBoolean, .default_value = false}},
       .run = &Summarize});
  add({.name = "consolidateBy",
       .group = "Special",
       .description = "Sets how points are merged when there are more than maxDataPoints, or when "
                      "steps must be made equal, and which aggregate coarser archives answer "
                      "with where they keep several.",
       .params = {list,
                  {.name = "consolidationFunc",
                   .type = ParamType::kString,
                   .required = true,
                   .options = ConsolidationNames()}},
       .run = &ConsolidateByFunction,
       .aggregate = &ConsolidateByAggregate});
  add({.name = "cumulative",
       .group = "Special",
       .description = "Short for consolidateBy with \"sum\".",
       .params = {list},
       .run = &Cumulative,
       .aggregate = &CumulativeAggregate});
  add({.name = "constantLine",
       .group = "Special",
       .description = "A horizontal line at the value.",
       .params = {{.name = "value", .type = ParamType::kFloat, .required = true}},
       .run = &ConstantLine});
}

}  // namespace shoal
