// GET /cluster/nodes: the nodes as this router sees them, as JSON, for the page and for scripts.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/cluster/topology.h"
#include "base/mutex.h"
#include "base/net/http_message.h"
#include "router/forward/dispatcher.h"
#include "router/query/node_reader.h"

namespace shoal {

// {"cluster", "epoch", "partitions", "replication", "write_copies", "nodes": [{"name", "address",
// "zone", "state"
// ("up" | "catching_up" | "down"), "topology_state", "spool_bytes", "pending_batches",
// "last_ack_age_ms" (null: none yet), "error", and what the node says of itself, absent when it
// does not answer: "version", "series", "points_written", "write_buffer_points",
// "write_buffer_bytes", "wal_bytes", "disk_bytes", "bad_pages", "read_only", "read_only_reason",
// "started_sec"}]}
//
// Thread safe. The nodes' own figures are asked for at most once a second.
class ClusterHandler {
 public:
  // readers[i] talks to topology.nodes[i]. Everything given outlives the handler.
  ClusterHandler(const Topology& topology, int write_copies, const Dispatcher* dispatcher,
                 std::vector<std::unique_ptr<NodeReader>> readers);

  HttpResponse Nodes();

 private:
  struct Figures {
    bool known = false;
    NodeStatus status;
  };
  std::vector<Figures> AskNodes();

  const Topology& topology_;
  const int write_copies_;
  const Dispatcher* const dispatcher_;
  const std::vector<std::unique_ptr<NodeReader>> readers_;
  Mutex mu_;  // also held while the nodes are asked, so that they are asked once
  std::chrono::steady_clock::time_point asked_at_ ABSL_GUARDED_BY(mu_);
  bool asked_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Figures> figures_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal
