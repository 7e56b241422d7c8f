// From gathered points to the nodes that own them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/cluster/partition_map.h"
#include "base/cluster/topology.h"
#include "router/forward/chunk.h"
#include "router/forward/memory_budget.h"
#include "router/forward/node_client.h"
#include "router/query/replica_health.h"

namespace shoal {

// Thread safe.
class Dispatcher : public ReplicaHealth {
 public:
  // `clients` are in the order of topology.nodes, not started. `write_copies` lies
  // within 1..replication. The budget outlives the dispatcher.
  Dispatcher(const Topology& topology, int write_copies, MemoryBudget* budget,
             std::vector<std::unique_ptr<NodeClient>> clients);
  ~Dispatcher() override;

  void Start();

  const PartitionMap& partitions() const { return partitions_; }
  size_t node_count() const { return clients_.size(); }

  // Sends `points` points, whose copies lie in `batches` by node number (null where a node gets
  // none). `on_complete` runs once, on any thread.
  void Submit(uint32_t points, std::vector<std::shared_ptr<NodeBatch>> batches,
              std::function<void(const ChunkResult&)> on_complete);

  ReplicaState StateOf(absl::string_view node) const override;
  NodeClientStatus StatusOf(size_t node) const { return clients_[node]->Status(); }

  // See NodeClient.
  void Drain(std::chrono::milliseconds patience);
  void Stop();

 private:
  const PartitionMap partitions_;
  const int write_copies_;
  MemoryBudget* const budget_;
  const std::vector<std::unique_ptr<NodeClient>> clients_;
  absl::flat_hash_map<std::string, size_t> number_of_;
};

}  // namespace shoal
