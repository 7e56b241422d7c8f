// The nodes of a cluster: an immutable snapshot with an epoch, and the parser of the static file.
//
//   # topology.toml
//   cluster = "quickstart"
//   epoch = 1
//   partitions = 16384          # fixed when the cluster is created
//   replication = 2
//   [[node]]
//   name = "node-1"             # what is hashed: keep it for the life of the node's data
//   address = "127.0.0.1:7401"  # gRPC
//   http = "127.0.0.1:7402"     # metrics and health, optional
//   zone = "a"                  # optional; replicas are kept in different zones when possible
//   weight = 1.0                # optional, 0.001 to 1e6
//   state = "active"            # joining | active | leaving | down
//
// Names and zones are 1 to 64 of A-Z a-z 0-9 - _ . and do not begin with '.'.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

inline constexpr uint32_t kDefaultPartitions = 16384;

enum class NodeState : uint8_t { kJoining, kActive, kLeaving, kDown };
const char* NodeStateName(NodeState state);

struct TopologyNode {
  std::string name;
  std::string address;
  std::string http;
  std::string zone;
  double weight = 1.0;
  NodeState state = NodeState::kActive;
};

struct Topology {
  std::string cluster;
  int64_t epoch = 1;
  uint32_t partitions = kDefaultPartitions;
  int replication = 2;
  std::vector<TopologyNode> nodes;  // file order; an index here is a node's number in PartitionMap

  // Errors name file, line and key: duplicate names or addresses, weight <= 0, replication above
  // the number of nodes, an unknown state or key, no nodes.
  static absl::StatusOr<Topology> Parse(absl::string_view text, const std::string& file);
  static absl::StatusOr<Topology> Load(const std::string& path);
};

}  // namespace shoal
