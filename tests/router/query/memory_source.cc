#include "tests/router/query/memory_source.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/metric/glob.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// whisper.fetch: clamps to what the archives cover, picks the first that reaches back to `from`.
std::optional<Series> FetchOne(const std::string& name,
                               const std::vector<MemorySource::Archive>& archives,
                               const FetchRange& range) {
  const int64_t oldest = range.now_sec - archives.back().retention_sec;
  if (range.from_sec > range.now_sec || range.until_sec < oldest) return std::nullopt;
  const int64_t from = std::max(range.from_sec, oldest);
  const int64_t until = std::min(range.until_sec, range.now_sec);
  const MemorySource::Archive* archive = &archives.back();
  for (const MemorySource::Archive& candidate : archives) {
    if (candidate.retention_sec >= range.now_sec - from) {
      archive = &candidate;
      break;
    }
  }
  const Series& points = archive->points;
  const FetchGrid grid = GridOf(from, until, points.step_sec);
  Series result{.name = name, .start_sec = grid.start_sec, .step_sec = grid.step_sec, .values = {}};
  for (int64_t t = grid.start_sec; t < grid.end_sec; t += grid.step_sec) {
    const bool inside = t >= points.start_sec && t < points.end_sec();
    result.values.push_back(
        inside ? points.values[static_cast<size_t>((t - points.start_sec) / points.step_sec)]
               : kAbsent);
  }
  return result;
}

}  // namespace

void MemorySource::AddArchive(const std::string& name, int64_t retention_sec, Series points) {
  series_[name].push_back({.retention_sec = retention_sec, .points = std::move(points)});
}

void MemorySource::Add(const std::string& name, int64_t start_sec, int64_t step_sec,
                       std::vector<double> values) {
  constexpr int64_t kForEver = int64_t{1} << 40;
  AddArchive(
      name, kForEver,
      Series{
          .name = name, .start_sec = start_sec, .step_sec = step_sec, .values = std::move(values)});
}

absl::StatusOr<std::vector<std::vector<Series>>> MemorySource::Fetch(
    absl::Span<const FetchSpec> specs, Deadline) {
  if (!failure_.ok()) return failure_;
  ++fetches_;
  last_specs_.assign(specs.begin(), specs.end());
  std::vector<std::vector<Series>> lists;
  for (const FetchSpec& spec : specs) {
    SHOAL_ASSIGN_OR_RETURN(const Glob glob, Glob::Compile(spec.pattern));
    std::vector<Series>& list = lists.emplace_back();
    for (const auto& [name, archives] : series_) {
      if (!glob.Match(name)) continue;
      if (std::optional<Series> series = FetchOne(name, archives, spec.range))
        list.push_back(*std::move(series));
    }
  }
  return lists;
}

absl::StatusOr<std::vector<FindEntry>> MemorySource::Find(const std::string& pattern, Deadline) {
  if (!failure_.ok()) return failure_;
  SHOAL_ASSIGN_OR_RETURN(const Glob glob, Glob::Compile(pattern));
  std::set<std::pair<std::string, bool>> matches;
  for (const auto& [name, archives] : series_) {
    const bool tagged = IsTagged(name);  // these are no part of the tree
    for (size_t dot = tagged ? std::string::npos : name.find('.'); dot != std::string::npos;
         dot = name.find('.', dot + 1)) {
      if (glob.Match(name.substr(0, dot))) matches.emplace(name.substr(0, dot), false);
    }
    if (glob.Match(name)) matches.emplace(name, true);
  }
  std::vector<FindEntry> entries;
  for (const auto& [path, is_leaf] : matches) entries.push_back({.path = path, .is_leaf = is_leaf});
  return entries;
}

absl::StatusOr<std::vector<std::string>> MemorySource::ListNames(Deadline) {
  if (!failure_.ok()) return failure_;
  std::vector<std::string> names;
  for (const auto& [name, archives] : series_) names.push_back(name);
  return names;
}

}  // namespace shoal
