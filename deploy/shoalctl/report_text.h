// What several commands print and read alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/cluster/topology.h"

namespace shoal {

// A file that is wrong is not a wrong command line: FailedPrecondition.
absl::StatusOr<Topology> LoadTopology(const std::string& path);

// The nodes that are named, or all. InvalidArgument names one that is not in the topology.
absl::StatusOr<std::vector<TopologyNode>> ChosenNodes(const Topology& topology,
                                                      const std::vector<std::string>& names);

std::string BytesText(uint64_t bytes);  // "12 B", "3.4 MiB"

// Rows of equal length, columns aligned; the last column is as long as it is.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace shoal
