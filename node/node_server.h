// One storage node: engine, gRPC services, HTTP for health and metrics, and the order in which they
// start and stop.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "node/node_config.h"

namespace shoal {

class NodeServer {
 public:
  explicit NodeServer(NodeConfig config);
  ~NodeServer();  // stops
  NodeServer(const NodeServer&) = delete;
  NodeServer& operator=(const NodeServer&) = delete;

  // Binds both ports first, then opens the data directory, so that a port in use touches no data.
  // While the engine recovers, /healthz answers 200, /readyz 503 and gRPC calls Unavailable.
  absl::Status Start();
  // New streams and queries are refused, what is in flight is acknowledged, then the engine is
  // flushed and closed. Idempotent.
  absl::Status Stop();

  // After Start: the ports that were bound.
  uint16_t grpc_port() const;
  uint16_t http_port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
