// Targets: parsed, bound and evaluated over two small series. Nothing may crash, and no answer may
// be longer than its limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "router/query/evaluator.h"
#include "router/query/target_parser.h"

namespace shoal {
namespace {

class SmallSource : public SeriesSource {
 public:
  absl::StatusOr<std::vector<std::vector<Series>>> Fetch(absl::Span<const FetchSpec> specs,
                                                         Deadline) override {
    std::vector<std::vector<Series>> lists;
    for (const FetchSpec& spec : specs) {
      std::vector<Series>& list = lists.emplace_back();
      for (const int64_t step : {10, 60}) {
        const FetchGrid grid = GridOf(
            spec.range.from_sec, std::min(spec.range.until_sec, spec.range.from_sec + 3600), step);
        Series series;
        series.name = step == 10 ? "a.b;k=v" : "a.c";
        series.start_sec = grid.start_sec;
        series.step_sec = step;
        for (int64_t i = 0; i < grid.count(); ++i)
          series.values.push_back(i % 5 == 0 ? kAbsent : static_cast<double>(i));
        list.push_back(std::move(series));
      }
    }
    return lists;
  }
  absl::StatusOr<std::vector<FindEntry>> Find(const std::string&, Deadline) override {
    return std::vector<FindEntry>();
  }
  absl::StatusOr<std::vector<std::string>> ListNames(Deadline) override {
    return std::vector<std::string>();
  }
};

}  // namespace
}  // namespace shoal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  shoal::FirstPath(text);
  shoal::EvalLimits limits;
  limits.points_max = 1'000'000;
  shoal::EvalRequest request;
  request.targets = {text};
  request.range = {.from_sec = 1700000000, .until_sec = 1700003600, .now_sec = 1700003600};
  shoal::SmallSource source;
  const auto result = shoal::EvaluateTargets(request, limits, &source);
  if (!result.ok()) return 0;
  size_t points = 0;
  for (const shoal::TimeSeries& series : *result) points += series.values.size();
  if (points > static_cast<size_t>(limits.points_max)) std::abort();
  return 0;
}
