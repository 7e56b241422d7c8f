// The cluster as a SeriesSource: one question, fanned out over the nodes, replicas merged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "router/query/fan_out.h"
#include "router/query/node_reader.h"
#include "router/query/replica_health.h"
#include "router/query/series_source.h"

namespace shoal {

struct ScatterOptions {
  FanOutOptions fan_out;
  // Per Fetch, over all specs; also the limit on paths of a Find. ResourceExhausted past them.
  uint64_t series_max = 100'000;
  uint64_t points_max = 50'000'000;
  uint64_t names_max = 20'000'000;  // of ListNames
};

// Thread safe. Serves one topology; a new topology is a new Scatter.
class Scatter : public SeriesSource {
 public:
  // readers[i] talks to topology->nodes[i]. `health` outlives this; it may be null: then every node
  // is taken for whole.
  Scatter(std::shared_ptr<const Topology> topology, std::shared_ptr<const PartitionMap> partitions,
          std::vector<std::unique_ptr<NodeReader>> readers, const ReplicaHealth* health,
          ScatterOptions options);
  ~Scatter() override;

  absl::StatusOr<std::vector<std::vector<Series>>> Fetch(absl::Span<const FetchSpec> specs,
                                                         Deadline deadline) override;
  absl::StatusOr<std::vector<FindEntry>> Find(const std::string& pattern,
                                              Deadline deadline) override;
  absl::StatusOr<std::vector<std::string>> ListNames(Deadline deadline) override;

 private:
  struct Plan;

  const ScatterOptions options_;
  const std::vector<uint32_t> all_partitions_;
  Counter* step_mismatch_ = nullptr;
  Counter* damaged_ = nullptr;
  MetricRegistry own_metrics_;  // when the caller has none
  FanOut fan_out_;
};

}  // namespace shoal
