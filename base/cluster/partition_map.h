// Partition -> ordered replicas: weighted rendezvous hashing, zones apart, load bounded.
//
// A pure function of the topology: every process computes the same map with no state, whatever the
// order of the nodes in the file. A node joining or leaving moves about 1/N of the partitions.
// Score of node n for partition p: -weight / ln(u), u uniform in (0, 1) from the hash of (p, node
// name); the highest scores win (weighted rendezvous, Wang, Resch: "Weighted rendezvous hashing").
// Replicas of one partition lie in distinct zones while there are enough zones; else no zone takes
// more of them than it must (the least number that lets all find a place). A node without a zone
// counts as a zone of its own. No node takes more than kLoadFactor times its fair share of replicas
// (rounded up); a partition whose best node is full goes to its next best. The fair share is what
// the node's weight entitles it to, where one partition is in one node at most once and zones are
// kept apart. Measured: up to 100 nodes a join moves at most 1.35 times what the new node takes; at
// 1,000 nodes, where a node holds so few partitions that the bound is often met, up to 3 times, of
// a share of 0.1 %.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/cluster/topology.h"

namespace shoal {

// Immutable after construction, thread safe.
class PartitionMap {
 public:
  static constexpr double kLoadFactor = 1.05;

  // Joining nodes own nothing yet; leaving and down nodes own what they did before.
  explicit PartitionMap(const Topology& topology);

  // Node numbers (indexes into Topology::nodes), the preferred replica first; replication() of
  // them: the topology's, or fewer when it has not as many nodes that own anything.
  absl::Span<const uint16_t> Owners(uint32_t partition) const {
    return absl::MakeConstSpan(owners_).subspan(size_t{partition} * replication_, replication_);
  }
  uint32_t partition_count() const { return partition_count_; }
  int replication() const { return static_cast<int>(replication_); }
  size_t node_count() const { return node_count_; }

 private:
  uint32_t partition_count_;
  size_t replication_;
  size_t node_count_;
  std::vector<uint16_t> owners_;  // partition-major
};

}  // namespace shoal
