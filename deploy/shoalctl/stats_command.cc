// stats: what is stored, and for whom, on live nodes or in a directory.
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "deploy/shoalctl/commands.h"
#include "deploy/shoalctl/data_dir.h"
#include "deploy/shoalctl/node_admin.h"
#include "deploy/shoalctl/report_text.h"
#include "storage/usage_report.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kUsageTimeout(600);

std::string PerPoint(uint64_t bytes, uint64_t points) {
  if (points == 0) return "-";
  return absl::StrFormat("%.2f", static_cast<double>(bytes) / static_cast<double>(points));
}

std::string SpanText(int64_t seconds) {
  if (seconds % 86'400 == 0) return absl::StrCat(seconds / 86'400, "d");
  if (seconds % 3600 == 0) return absl::StrCat(seconds / 3600, "h");
  if (seconds % 60 == 0) return absl::StrCat(seconds / 60, "m");
  return absl::StrCat(seconds, "s");
}

void PrintReport(const UsageReport& report) {
  std::vector<std::vector<std::string>> rows = {{"SCHEMA", "ARCHIVE", "STEP", "KEEPS", "SERIES",
                                                 "POINTS", "PAGES", "ON DISK", "LOGICAL", "FILES",
                                                 "DISK BYTES/POINT"}};
  for (const ArchiveUsage& usage : report.archives) {
    rows.push_back({absl::StrCat(usage.archive.schema), absl::StrCat(usage.archive.archive),
                    SpanText(usage.step_sec), SpanText(usage.retention_sec),
                    absl::StrCat(usage.series), absl::StrCat(usage.points),
                    BytesText(usage.page_bytes), BytesText(usage.allocated_bytes),
                    BytesText(usage.logical_bytes), absl::StrCat(usage.files),
                    PerPoint(usage.allocated_bytes, usage.points)});
  }
  PrintTable(rows);
  if (!report.prefixes.empty()) {
    std::puts("");
    rows = {{"PREFIX", "SERIES", "POINTS", "PAGES", "PAGE BYTES/POINT"}};
    for (const PrefixUsage& usage : report.prefixes) {
      rows.push_back({absl::CHexEscape(usage.prefix), absl::StrCat(usage.series),
                      absl::StrCat(usage.points), BytesText(usage.page_bytes),
                      PerPoint(usage.page_bytes, usage.points)});
    }
    PrintTable(rows);
  }
  if (report.prefixes_left_out > 0) {
    std::printf("and %llu smaller prefixes (--prefixes)\n",
                static_cast<unsigned long long>(report.prefixes_left_out));
  }
  std::printf("%llu series by name", static_cast<unsigned long long>(report.series));
  if (report.nameless_series > 0) {
    std::printf("; %llu deleted ones still have pages",
                static_cast<unsigned long long>(report.nameless_series));
  }
  if (report.failed_pages > 0) {
    std::printf("; %llu pages failed their check and are not counted: see verify",
                static_cast<unsigned long long>(report.failed_pages));
  }
  std::puts("");
}

absl::StatusOr<int> StatsOfDirectory(const std::string& path, const UsageQuery& query) {
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<DataDir> data, DataDir::Open(path));
  const UsageReport report = ReportUsage(
      data->rings(),
      [&](absl::FunctionRef<void(absl::string_view, SeriesId)> visit) { data->VisitNames(visit); },
      query);
  PrintReport(report);
  return report.failed_pages == 0 ? kExitOk : kExitFailure;
}

absl::StatusOr<int> StatsOfNodes(const std::string& topology_path,
                                 const std::vector<std::string>& names, const UsageQuery& query) {
  SHOAL_ASSIGN_OR_RETURN(const Topology topology, LoadTopology(topology_path));
  SHOAL_ASSIGN_OR_RETURN(const std::vector<TopologyNode> nodes, ChosenNodes(topology, names));
  int exit_code = kExitOk;
  for (const TopologyNode& node : nodes) {
    // One after the other: each reads all of its disk.
    const absl::StatusOr<UsageReport> report =
        MakeNodeAdmin(node.name, node.address)->Usage(query, kUsageTimeout);
    std::printf("%s%s:\n", &node == nodes.data() ? "" : "\n", node.name.c_str());
    if (report.ok()) {
      PrintReport(*report);
      if (report->failed_pages > 0) exit_code = kExitFailure;
    } else {
      std::puts(std::string(report.status().message()).c_str());
      exit_code = kExitFailure;
    }
  }
  return exit_code;
}

}  // namespace

absl::StatusOr<int> StatsCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(
      const CommandArgs parsed,
      CommandArgs::Parse(args, {"--topology", "--data", "--depth", "--prefixes"}));
  UsageQuery query;
  if (parsed.Has("--depth") && !absl::SimpleAtoi(parsed.Get("--depth"), &query.prefix_nodes)) {
    return absl::InvalidArgumentError("--depth needs a number of name nodes");
  }
  if (parsed.Has("--prefixes") &&
      !absl::SimpleAtoi(parsed.Get("--prefixes"), &query.prefixes_max)) {
    return absl::InvalidArgumentError("--prefixes needs a number");
  }
  if (parsed.Has("--topology") == parsed.Has("--data")) {
    return absl::InvalidArgumentError("stats needs either --topology FILE or --data DIR");
  }
  if (parsed.Has("--topology")) {
    return StatsOfNodes(parsed.Get("--topology"), parsed.rest(), query);
  }
  return StatsOfDirectory(parsed.Get("--data"), query);
}

}  // namespace shoal
