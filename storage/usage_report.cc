#include "storage/usage_report.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/ring/page_scan.h"

namespace shoal {
namespace {

// Ids are dense; one beyond is not believed, so that a wrong one costs no memory.
constexpr size_t kSeriesMax = 1 << 28;

struct SeriesUsage {
  uint64_t points = 0;
  uint64_t page_bytes = 0;
};

// The first `nodes` nodes of `name`, which may have fewer; tags count as part of the last node.
absl::string_view PrefixOf(absl::string_view name, uint32_t nodes) {
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == ';') break;
    if (name[i] == '.' && --nodes == 0) return name.substr(0, i);
  }
  return name;
}

}  // namespace

UsageReport ReportUsage(const RingStore& rings, VisitNamesFn visit_names, const UsageQuery& query) {
  UsageReport report;
  std::map<std::pair<SchemaId, uint8_t>, ArchiveUsage> archives;
  for (const RingStoreUsage& usage : rings.Usage()) {
    ArchiveUsage& archive = archives[{usage.archive.schema, usage.archive.archive}];
    archive.archive = usage.archive;
    archive.step_sec = usage.step_sec;
    archive.retention_sec = usage.retention_sec;
    archive.files += usage.files;
    archive.logical_bytes += usage.logical_bytes;
    archive.allocated_bytes += usage.allocated_bytes;
  }
  for (auto& [key, archive] : archives) archive.series = rings.SeriesIn(archive.archive).size();

  std::vector<SeriesUsage> of_series;
  report.failed_pages = rings.VisitPages([&](const StoredPage& page) {
    ArchiveUsage& archive = archives[{page.archive.schema, page.archive.archive}];
    archive.archive = page.archive;
    archive.points += page.points;
    archive.page_bytes += page.page_bytes;
    if (page.series >= kSeriesMax) return;
    if (page.series >= of_series.size()) of_series.resize(page.series + size_t{1});
    of_series[page.series].points += page.points;
    of_series[page.series].page_bytes += page.page_bytes;
  });
  for (auto& [key, archive] : archives) report.archives.push_back(archive);

  absl::flat_hash_map<std::string, PrefixUsage> prefixes;
  visit_names([&](absl::string_view name, SeriesId series) {
    ++report.series;
    SeriesUsage usage;
    if (series < of_series.size()) usage = std::exchange(of_series[series], SeriesUsage());
    if (query.prefix_nodes == 0) return;
    PrefixUsage& prefix = prefixes[PrefixOf(name, query.prefix_nodes)];
    prefix.series += 1;
    prefix.points += usage.points;
    prefix.page_bytes += usage.page_bytes;
  });
  for (const SeriesUsage& left : of_series) report.nameless_series += left.points > 0 ? 1 : 0;
  for (auto& [text, prefix] : prefixes) {
    prefix.prefix = text;
    report.prefixes.push_back(std::move(prefix));
  }
  std::sort(report.prefixes.begin(), report.prefixes.end(),
            [](const PrefixUsage& a, const PrefixUsage& b) {
              if (a.page_bytes != b.page_bytes) return a.page_bytes > b.page_bytes;
              if (a.series != b.series) return a.series > b.series;
              return a.prefix < b.prefix;
            });
  if (report.prefixes.size() > query.prefixes_max) {
    report.prefixes_left_out = report.prefixes.size() - query.prefixes_max;
    report.prefixes.resize(query.prefixes_max);
  }
  return report;
}

}  // namespace shoal
