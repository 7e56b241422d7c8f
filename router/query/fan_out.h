// Asks the nodes so that every partition is answered in full, by as few replicas as possible.
//
// A partition is complete when a whole replica has answered for it without damage, or when all its
// replicas have answered (their answers are then merged: each may have what the other lacks). A
// node that fails, or is slower than `hedge_after`, has its partitions asked of the next replica.
// When a partition cannot become complete, the whole call fails: a partial answer is never given.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cluster/partition_map.h"
#include "base/cluster/topology.h"
#include "base/stats.h"
#include "base/thread_pool.h"
#include "router/query/node_reader.h"
#include "router/query/replica_health.h"

namespace shoal {

struct FanOutOptions {
  int threads = 16;  // node calls at once, over all queries; more wait
  std::chrono::milliseconds hedge_after{500};
  std::chrono::milliseconds attempt_timeout{10'000};  // of one node call
  // A node that has just failed or been slow is asked only when nobody else can answer.
  std::chrono::milliseconds distrust_for{1'000};
  MetricRegistry* metrics = nullptr;  // may be null
};

// What one node answered. Which lists are used depends on the question.
struct NodeAnswer {
  std::vector<std::vector<FetchedSeries>> series;  // by group of the fetch
  std::vector<FindEntry> found;
  std::vector<std::string> names;
  // Partitions for which this answer is known to lack something.
  std::vector<uint32_t> damaged_partitions;
  bool whole = true;  // the replica was whole when the query began; set by FanOut
};

// Asks one node. Runs on a pool thread, possibly still after Run has returned, so it owns what it
// uses.
using NodeQuestion =
    std::function<absl::Status(NodeReader* reader, const PartitionBits& partitions,
                               Deadline deadline, Cancellation* cancel, NodeAnswer* answer)>;

// Thread safe.
class FanOut {
 public:
  // readers[i] talks to topology->nodes[i]. `health` outlives this; it may be null: then every node
  // is taken for whole.
  FanOut(std::shared_ptr<const Topology> topology, std::shared_ptr<const PartitionMap> partitions,
         std::vector<std::unique_ptr<NodeReader>> readers, const ReplicaHealth* health,
         FanOutOptions options);
  ~FanOut();

  // The answers that together cover `asked` (ascending, distinct). InvalidArgument and
  // ResourceExhausted of any node are returned as they are; Unavailable names partition, nodes and
  // reasons; DeadlineExceeded names who did not answer.
  absl::StatusOr<std::vector<NodeAnswer>> Run(const std::vector<uint32_t>& asked,
                                              const NodeQuestion& question, Deadline deadline);

  const PartitionMap& partitions() const { return *partitions_; }

 private:
  class Query;

  struct Counters {
    Counter* attempts = nullptr;
    Counter* failures = nullptr;
    Counter* hedges = nullptr;
    Counter* merged_partial = nullptr;
    Counter* incomplete = nullptr;
  };

  bool Trusted(size_t node) const;
  void Distrust(size_t node);

  const std::shared_ptr<const Topology> topology_;
  const std::shared_ptr<const PartitionMap> partitions_;
  const std::vector<std::unique_ptr<NodeReader>> readers_;
  const ReplicaHealth* const health_;
  const FanOutOptions options_;
  MetricRegistry own_metrics_;  // when the caller has none
  Counters counters_;
  // steady_clock nanoseconds until which a node is asked last.
  std::unique_ptr<std::atomic<int64_t>[]> distrusted_until_ns_;
  // Last: its destructor ends the threads that use the rest.
  ThreadPool pool_;
};

}  // namespace shoal
