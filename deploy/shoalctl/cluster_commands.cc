// status and whereis: what the topology and the nodes say.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/cluster/hash.h"
#include "base/cluster/partition_map.h"
#include "base/cluster/topology.h"
#include "base/command_line.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "deploy/shoalctl/commands.h"
#include "deploy/shoalctl/report_text.h"
#include "router/forward/grpc_node_reader.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kStatusTimeout(2);
constexpr int kNodesAtOnce = 16;

std::string AgeText(int64_t seconds) {
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 7200) return absl::StrCat(seconds / 60, "m");
  if (seconds < 172'800) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86'400, "d");
}

std::vector<std::string> NodeRow(const Topology& topology, const TopologyNode& node,
                                 const absl::StatusOr<NodeStatus>& status, bool* good) {
  std::vector<std::string> row = {node.name, node.address, node.zone.empty() ? "-" : node.zone,
                                  NodeStateName(node.state)};
  *good = false;
  if (!status.ok()) {
    row.insert(row.end(), {"down", "-", "-", "-", "-", "-", "-", "-", "-"});
    row.push_back(std::string(status.status().message()));
    return row;
  }
  std::string note;
  std::string state = "up";
  if (status->node != node.name || status->cluster != topology.cluster) {
    state = "wrong";
    note = absl::StrCat("this is node ", status->node, " of cluster ", status->cluster);
  } else if (status->read_only) {
    state = "read-only";
    note = status->read_only_reason;
  } else {
    *good = true;
  }
  row.push_back(state);
  row.push_back(absl::StrCat(status->series));
  row.push_back(absl::StrCat(status->points_written));
  row.push_back(
      absl::StrCat(status->write_buffer_points, " / ", BytesText(status->write_buffer_bytes)));
  row.push_back(BytesText(status->wal_bytes));
  row.push_back(BytesText(status->disk_bytes));
  row.push_back(absl::StrCat(status->bad_pages));
  row.push_back(AgeText(Clock::System()->NowSec() - status->started_sec));
  row.push_back(status->version);
  row.push_back(note);
  return row;
}

}  // namespace

absl::StatusOr<int> StatusCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(const CommandArgs parsed, CommandArgs::Parse(args, {"--topology"}));
  SHOAL_ASSIGN_OR_RETURN(const std::string path, parsed.Require("--topology"));
  SHOAL_ASSIGN_OR_RETURN(const Topology topology, LoadTopology(path));

  std::vector<absl::StatusOr<NodeStatus>> answers(topology.nodes.size(),
                                                  absl::UnknownError("not asked"));
  {
    ThreadPool pool("status", kNodesAtOnce, topology.nodes.size());
    for (size_t i = 0; i < topology.nodes.size(); ++i) {
      pool.Submit([&node = topology.nodes[i], &answer = answers[i]] {
        answer = MakeGrpcNodeReader({.name = node.name, .address = node.address})
                     ->Status(std::chrono::steady_clock::now() + kStatusTimeout);
      });
    }
  }  // waits
  std::printf("cluster %s, epoch %lld, %u partitions, replication %d\n", topology.cluster.c_str(),
              static_cast<long long>(topology.epoch), topology.partitions, topology.replication);
  std::vector<std::vector<std::string>> rows = {{"NODE", "ADDRESS", "ZONE", "TOPOLOGY", "STATE",
                                                 "SERIES", "POINTS", "CACHE", "WAL", "DISK",
                                                 "BAD PAGES", "UPTIME", "VERSION", "NOTE"}};
  bool all_good = true;
  for (size_t i = 0; i < topology.nodes.size(); ++i) {
    bool good = false;
    rows.push_back(NodeRow(topology, topology.nodes[i], answers[i], &good));
    all_good &= good;
  }
  PrintTable(rows);
  return all_good ? kExitOk : kExitFailure;
}

absl::StatusOr<int> WhereisCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(const CommandArgs parsed, CommandArgs::Parse(args, {"--topology"}));
  SHOAL_ASSIGN_OR_RETURN(const std::string path, parsed.Require("--topology"));
  if (parsed.rest().empty()) return absl::InvalidArgumentError("whereis needs a metric name");
  SHOAL_ASSIGN_OR_RETURN(const Topology topology, LoadTopology(path));
  const PartitionMap map(topology);
  int exit_code = kExitOk;
  std::vector<std::vector<std::string>> rows = {{"NAME", "PARTITION", "OWNERS"}};
  for (const std::string& raw : parsed.rest()) {
    if (const NameError error = ValidateName(raw); error != NameError::kNone) {
      rows.push_back({raw, "-", absl::StrCat("not a metric name: ", NameErrorText(error))});
      exit_code = kExitFailure;
      continue;
    }
    const std::string name = CanonicalName(raw);
    const uint32_t partition = PartitionOf(name, map.partition_count());
    std::string owners;
    for (const uint16_t owner : map.Owners(partition)) {
      const TopologyNode& node = topology.nodes[owner];
      absl::StrAppend(&owners, owners.empty() ? "" : ", ", node.name, " (", node.address, ")");
    }
    rows.push_back({name, absl::StrCat(partition), owners});
  }
  PrintTable(rows);
  return exit_code;
}

}  // namespace shoal
