// router.toml. Every key is described in docs/configuration.md.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/cluster/topology.h"
#include "base/command_line.h"
#include "router/ingest/ingest_server.h"

namespace shoal {

struct RouterConfig {
  std::string name;      // "" in the file: host name and line port
  std::string data_dir;  // absolute, or relative to the working directory
  std::string http_listen = "127.0.0.1:8080";
  std::string log_level = "info";

  std::string topology_path;
  Topology topology;
  int write_copies = 2;

  IngestOptions ingest;
  int64_t memory_bytes_max = 256 << 20;

  int64_t connect_timeout_ms = 1000;
  int64_t ack_timeout_ms = 1000;
  int64_t slow_timeout_ms = 3000;
  int64_t window_bytes_max = 16 << 20;

  int64_t spool_bytes_max = int64_t{4} << 30;  // of each node
  int64_t spool_segment_bytes = 16 << 20;
  bool spool_drop_oldest = false;

  int64_t query_timeout_ms = 30'000;
  int64_t query_series_max = 100'000;
  int64_t query_points_max = 50'000'000;
  int query_threads = 8;
};

// Also loads the topology. Errors name file, line and key.
absl::StatusOr<RouterConfig> LoadRouterConfig(const CommandLine& command_line);

}  // namespace shoal
