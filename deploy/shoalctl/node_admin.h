// The administrative calls of one node, over gRPC.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/usage_report.h"

namespace shoal {

// Thread safe. Every call fails at once when the node cannot be reached; errors name the node.
class NodeAdmin {
 public:
  virtual ~NodeAdmin() = default;

  // Returns how long the flush took.
  virtual absl::StatusOr<std::chrono::milliseconds> Flush(bool all_rollups,
                                                          std::chrono::seconds timeout) = 0;
  struct Deleted {
    uint64_t series = 0;
    std::vector<std::string> names;  // the first ones
  };
  // Removes the series that match; with `dry_run` only says which.
  virtual absl::StatusOr<Deleted> DeleteSeries(const std::string& pattern, bool dry_run,
                                               uint32_t names_max,
                                               std::chrono::seconds timeout) = 0;
  // What is stored; the node reads all of it.
  virtual absl::StatusOr<UsageReport> Usage(const UsageQuery& query,
                                            std::chrono::seconds timeout) = 0;
};

// `address` is HOST:PORT.
std::unique_ptr<NodeAdmin> MakeNodeAdmin(const std::string& name, const std::string& address);

}  // namespace shoal
