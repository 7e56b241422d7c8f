// The read side of one storage node, as the router sees it: a small interface, so that the fan-out
// does not know gRPC and tests can play the peer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cluster/partition_bits.h"
#include "base/metric/series.h"
#include "router/query/series_source.h"

namespace shoal {

struct NodeFetchRequest {
  std::vector<std::string> patterns;
  FetchRange range;
  uint64_t series_max = 0;  // ResourceExhausted past these; 0: the node's own limits
  uint64_t points_max = 0;
};

// One series of an answer.
struct FetchedSeries {
  Series series;
  uint32_t pattern_index = 0;  // in NodeFetchRequest::patterns
  bool damaged = false;        // a page that it needed is bad on that node
};

// What a node says about itself.
struct NodeStatus {
  std::string node;
  std::string cluster;
  std::string version;
  uint64_t series = 0;
  uint64_t points_written = 0;
  uint64_t write_buffer_points = 0;
  uint64_t write_buffer_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t disk_bytes = 0;
  uint64_t bad_pages = 0;
  bool read_only = false;
  std::string read_only_reason;
  int64_t started_sec = 0;
};

// Thread safe; calls of several threads run side by side. The calls block until the answer is
// complete, the deadline has passed (DeadlineExceeded) or `visit` returns an error, which ends the
// call and is returned. Unavailable when the node cannot be reached now: it fails at once, it does
// not wait for a connection. What `visit` has seen of a call that failed is not the whole answer.
class NodeReader {
 public:
  virtual ~NodeReader() = default;

  virtual absl::Status Fetch(const NodeFetchRequest& request, const PartitionBits& partitions,
                             Deadline deadline,
                             absl::FunctionRef<absl::Status(FetchedSeries)> visit) = 0;
  // Leaves are restricted to the partitions, branches are not.
  virtual absl::Status Find(const std::string& pattern, const PartitionBits& partitions,
                            Deadline deadline,
                            absl::FunctionRef<absl::Status(FindEntry)> visit) = 0;
  virtual absl::Status ListNames(const PartitionBits& partitions, Deadline deadline,
                                 absl::FunctionRef<absl::Status(std::string)> visit) = 0;
  virtual absl::StatusOr<NodeStatus> Status(Deadline deadline) = 0;
};

}  // namespace shoal
