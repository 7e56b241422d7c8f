// The settings of one storage node: node.toml and --set. docs/configuration.md describes every key.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/command_line.h"
#include "storage/engine.h"

namespace shoal {

// What one request or stream may cost.
struct NodeLimits {
  int64_t fetch_series_max = 200'000;
  int64_t fetch_points_max = 50'000'000;
  int64_t query_concurrency_max = 16;  // queries that run at once; more wait for a moment
  int64_t message_bytes_max = 16 << 20;
  int64_t write_streams_max = 256;
  // Of batches of one stream that are not acknowledged yet; past it the stream is not read.
  int64_t write_inflight_bytes_max = 64 << 20;
  // A name that a limit refused is tried again this often while points of it come.
  int64_t refused_retry_ms = 30'000;
};

struct NodeConfig {
  std::string name;
  std::string cluster;
  std::string data_dir;
  std::string grpc_listen = "127.0.0.1:7401";
  std::string http_listen = "127.0.0.1:7402";
  std::string log_level = "info";
  NodeLimits limits;
  // dir, names, schemas, aggregations and the [storage] settings are filled in; fs, clock and
  // metrics are not.
  EngineOptions engine;
};

// Reads and checks everything, files that the settings name included. Errors name file, line and
// key.
absl::StatusOr<NodeConfig> LoadNodeConfig(const CommandLine& command_line);

}  // namespace shoal
