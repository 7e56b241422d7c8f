#include "deploy/shoalctl/report_text.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace shoal {

absl::StatusOr<Topology> LoadTopology(const std::string& path) {
  absl::StatusOr<Topology> topology = Topology::Load(path);
  if (absl::IsInvalidArgument(topology.status())) {
    return absl::FailedPreconditionError(topology.status().message());
  }
  return topology;
}

absl::StatusOr<std::vector<TopologyNode>> ChosenNodes(const Topology& topology,
                                                      const std::vector<std::string>& names) {
  if (names.empty()) return topology.nodes;
  std::vector<TopologyNode> chosen;
  for (const std::string& name : names) {
    const auto node = std::find_if(topology.nodes.begin(), topology.nodes.end(),
                                   [&](const TopologyNode& n) { return n.name == name; });
    if (node == topology.nodes.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the topology has no node \"", name, "\""));
    }
    chosen.push_back(*node);
  }
  return chosen;
}

std::string BytesText(uint64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, units[unit]);
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i]);
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    std::puts(line.c_str());
  }
}

}  // namespace shoal
