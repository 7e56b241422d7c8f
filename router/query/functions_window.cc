// movingWindow and its family: an aggregate of the points before each point.

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "router/query/aggregate_func.h"
#include "router/query/function_registry.h"
#include "router/query/time_offset.h"

namespace shoal {
namespace {

constexpr int64_t kWindowPointsMax = 10'000'000;

bool IsInterval(const Value& window) { return std::holds_alternative<std::string>(window); }

int64_t WindowPoints(const Value& window) {
  if (const auto* points = std::get_if<int64_t>(&window)) return *points;
  return static_cast<int64_t>(std::get<double>(window));
}

absl::StatusOr<Preview> WindowPreview(const Arguments& args) {
  const Value& window = args.Get(1);
  Preview preview;
  if (IsInterval(window)) {
    SHOAL_ASSIGN_OR_RETURN(const int64_t seconds, ParseTimeOffset(std::get<std::string>(window)));
    preview.seconds = std::abs(seconds);
    return preview;
  }
  preview.points = WindowPoints(window);
  if (preview.points < 0 || preview.points > kWindowPointsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("windowSize must lie between 0 and ", kWindowPointsMax, " points"));
  }
  return preview;
}

// Sums, or minima, or maxima of all windows of `width` values in linear time, without ever
// subtracting: the values are cut into blocks of `width`, and every window is the end of one block
// and the beginning of the next.
template <typename Fold>
class WindowFold {
 public:
  WindowFold(const std::vector<double>& values, size_t width, double neutral, Fold fold)
      : width_(width), fold_(fold), from_block_start_(values.size()), to_block_end_(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double v = std::isnan(values[i]) ? neutral : values[i];
      from_block_start_[i] = i % width == 0 ? v : fold(from_block_start_[i - 1], v);
    }
    for (size_t i = values.size(); i-- > 0;) {
      const double v = std::isnan(values[i]) ? neutral : values[i];
      const bool ends_block = i % width == width - 1 || i + 1 == values.size();
      to_block_end_[i] = ends_block ? v : fold(v, to_block_end_[i + 1]);
    }
  }

  // Of values [end - width, end).
  double Before(size_t end) const {
    const size_t begin = end - width_;
    if (begin % width_ == 0) return from_block_start_[end - 1];
    return fold_(to_block_end_[begin], from_block_start_[end - 1]);
  }

 private:
  const size_t width_;
  const Fold fold_;
  std::vector<double> from_block_start_;
  std::vector<double> to_block_end_;
};

// known[i]: how many of the first i values are there.
std::vector<size_t> KnownBefore(const std::vector<double>& values) {
  std::vector<size_t> known(values.size() + 1);
  for (size_t i = 0; i < values.size(); ++i)
    known[i + 1] = known[i] + (std::isnan(values[i]) ? 0 : 1);
  return known;
}

// Calls value(end, known) for every window that has enough values.
template <typename ValueOf>
std::vector<double> EachWindow(const std::vector<double>& values, size_t width,
                               double x_files_factor, ValueOf value) {
  const std::vector<size_t> known_before = KnownBefore(values);
  std::vector<double> result;
  for (size_t end = width + 1; end <= values.size(); ++end) {
    const size_t known = known_before[end] - known_before[end - width];
    result.push_back(EnoughKnown(known, static_cast<double>(width), x_files_factor)
                         ? value(end, known)
                         : kAbsent);
  }
  return result;
}

template <typename Fold>
std::vector<double> FoldWindows(const std::vector<double>& values, size_t width,
                                double x_files_factor, bool mean, double neutral, Fold fold) {
  const WindowFold<Fold> windows(values, width, neutral, fold);
  return EachWindow(values, width, x_files_factor, [&](size_t end, size_t known) {
    return mean ? windows.Before(end) / static_cast<double>(known) : windows.Before(end);
  });
}

// Functions without a linear way: the known values of each window, afresh.
absl::StatusOr<std::vector<double>> ScanWindows(const std::vector<double>& values, size_t width,
                                                AggFunc func, double x_files_factor,
                                                EvalBudget* budget) {
  const int64_t windows = static_cast<int64_t>(values.size() - width);
  if (windows > 0) {
    // Scanning is an order of magnitude cheaper than keeping a point.
    SHOAL_RETURN_IF_ERROR(budget->Charge(windows * static_cast<int64_t>(width) / 10));
  }
  std::vector<double> known_values;
  return EachWindow(values, width, x_files_factor, [&](size_t end, size_t) {
    known_values.clear();
    for (size_t i = end - width; i < end; ++i) {
      if (!std::isnan(values[i])) known_values.push_back(values[i]);
    }
    return ApplyAggFunc(func, known_values);
  });
}

// The value at i is made of the `width` values that end with it; the first `width` values have no
// result.
absl::StatusOr<std::vector<double>> SlideWindow(const std::vector<double>& values, size_t width,
                                                AggFunc func, double x_files_factor,
                                                EvalBudget* budget) {
  if (values.size() <= width) return std::vector<double>();
  if (width == 0) return std::vector<double>(values.size(), kAbsent);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (func) {
    case AggFunc::kSum:
    case AggFunc::kAverage:
    case AggFunc::kAvgZero:
      return FoldWindows(values, width, x_files_factor, func != AggFunc::kSum, 0.0,
                         [](double a, double b) { return a + b; });
    case AggFunc::kMin:
      return FoldWindows(values, width, x_files_factor, false, kInfinity,
                         [](double a, double b) { return b < a ? b : a; });
    case AggFunc::kMax:
      return FoldWindows(values, width, x_files_factor, false, -kInfinity,
                         [](double a, double b) { return b > a ? b : a; });
    default:
      return ScanWindows(values, width, func, x_files_factor, budget);
  }
}

// Python's str.capitalize() of an ASCII word.
std::string Capitalized(absl::string_view word) {
  std::string text = absl::AsciiStrToLower(word);
  if (!text.empty()) text[0] = absl::ascii_toupper(static_cast<unsigned char>(text[0]));
  return text;
}

absl::StatusOr<SeriesList> Moving(FunctionCall call, absl::string_view func_name,
                                  size_t x_files_factor_param) {
  const std::optional<AggFunc> func = ParseAggFunc(func_name);
  if (!func) {
    return absl::InvalidArgumentError(
        absl::StrCat("movingWindow(): unknown function \"", func_name, "\""));
  }
  const Value& window = call.args.Get(1);
  const std::string window_text = ValueText(window);
  const std::string prefix = absl::StrCat("moving", Capitalized(func_name));
  const absl::string_view quote = IsInterval(window) ? "\"" : "";
  for (TimeSeries& s : call.series) {
    SHOAL_RETURN_IF_ERROR(call.context.budget->Charge(4 * static_cast<int64_t>(s.values.size())));
    // From the step that the wider window really gave: it may have come from a coarser archive.
    const int64_t width = IsInterval(window) ? call.preview_sec / s.step_sec : WindowPoints(window);
    const double x_files_factor = call.args.Has(x_files_factor_param)
                                      ? call.args.Float(x_files_factor_param)
                                      : s.x_files_factor;
    s.tags.Set(prefix, window_text);
    s.Rename(absl::StrCat(prefix, "(", s.name, ",", quote, window_text, quote, ")"));
    SHOAL_ASSIGN_OR_RETURN(s.values, SlideWindow(s.values, static_cast<size_t>(width), *func,
                                                 x_files_factor, call.context.budget));
    s.start_sec += call.preview_sec;
  }
  return std::move(call.series);
}

absl::StatusOr<SeriesList> MovingWindow(FunctionCall call) {
  const std::string func_name = call.args.String(2);
  return Moving(std::move(call), func_name, 3);
}

template <const char* kFunc>
absl::StatusOr<SeriesList> MovingBy(FunctionCall call) {
  return Moving(std::move(call), kFunc, 2);
}

constexpr char kAverage[] = "average";
constexpr char kMedian[] = "median";
constexpr char kSum[] = "sum";
constexpr char kMin[] = "min";
constexpr char kMax[] = "max";

}  // namespace

void AddWindowFunctions(FunctionMap* functions) {
  const auto add = [functions](FunctionDef def) { (*functions)[def.name] = std::move(def); };
  const ParamDef list{.name = "seriesList", .required = true};
  const ParamDef window{
      .name = "windowSize",
      .type = ParamType::kIntOrInterval,
      .required = true,
      .suggestions = {int64_t{5}, int64_t{7}, int64_t{10}, std::string("1min"), std::string("5min"),
                      std::string("10min"), std::string("30min"), std::string("1hour")}};
  const ParamDef x_files_factor{.name = "xFilesFactor", .type = ParamType::kFloat};
  const auto add_moving = [&](absl::string_view name, auto* run, absl::string_view what) {
    add({.name = std::string(name),
         .group = "Calculate",
         .description = absl::StrCat(
             what,
             " of the last `windowSize` points, or of the points of the last interval, at "
             "each point."),
         .params = {list, window, x_files_factor},
         .run = run,
         .preview = &WindowPreview});
  };
  add_moving("movingAverage", &MovingBy<kAverage>, "The mean");
  add_moving("movingMedian", &MovingBy<kMedian>, "The median");
  add_moving("movingSum", &MovingBy<kSum>, "The sum");
  add_moving("movingMin", &MovingBy<kMin>, "The smallest");
  add_moving("movingMax", &MovingBy<kMax>, "The largest");
  add({.name = "movingWindow",
       .group = "Calculate",
       .description = "The named aggregation function of the last `windowSize` points, or of the "
                      "points of the last "
                      "interval, at each point.",
       .params = {list,
                  window,
                  {.name = "func",
                   .type = ParamType::kAggFunc,
                   .default_value = std::string("average")},
                  x_files_factor},
       .run = &MovingWindow,
       .preview = &WindowPreview});
}

}  // namespace shoal
