#include "node/node_config.h"

#include <filesystem>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/config.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr int64_t kTiB = int64_t{1} << 40;
constexpr size_t kIdentityBytesMax = 255;

// Names of nodes and clusters are compared, printed and hashed; they never become paths, but they
// end up in file and metric labels of others.
bool IsIdentity(absl::string_view text) {
  if (text.empty() || text.size() > kIdentityBytesMax) return false;
  for (const char c : text) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!allowed) return false;
  }
  return true;
}

void GetIdentity(Config* config, absl::string_view key, std::string* value) {
  config->Require(key);
  config->GetString(key, value);
  if (!value->empty() && !IsIdentity(*value)) {
    config->Fail(key, "only letters, digits, '-', '_' and '.' are allowed, 255 bytes at most");
  }
}

void GetListen(Config* config, absl::string_view key, std::string* value) {
  config->GetString(key, value);
  if (absl::StatusOr<HostPort> parsed = ParseHostPort(*value); !parsed.ok()) {
    config->Fail(key, parsed.status().message());
  }
}

void GetStorage(Config* config, EngineOptions* engine) {
  std::string wal_sync = "always";
  config->GetChoice("storage.wal_sync", &wal_sync, {"always", "interval", "never"});
  engine->wal_sync = wal_sync == "always"     ? WalSync::kAlways
                     : wal_sync == "interval" ? WalSync::kInterval
                                              : WalSync::kNever;
  config->GetDurationMs("storage.wal_sync_interval", &engine->wal_sync_interval_ms, 1, 3'600'000);
  config->GetBytes("storage.wal_segment_bytes", &engine->wal_segment_bytes, 1 << 20, 4LL << 30);
  config->GetBytes("storage.wal_bytes_max", &engine->wal_bytes_max, 4 << 20, kTiB);
  config->GetBytes("storage.write_buffer_bytes_max", &engine->write_buffer_bytes_max, 1 << 20,
                   kTiB);
  config->GetDurationMs("storage.flush_interval", &engine->flush_interval_ms, 100, 86'400'000);
  int64_t future_ms = engine->future_sec_max * 1000;
  config->GetDurationMs("storage.future_max", &future_ms, 0, int64_t{10} * 366 * 86'400'000);
  engine->future_sec_max = future_ms / 1000;
  config->GetInt("storage.series_max", &engine->series_max, 1, 4'000'000'000);
  config->GetInt("storage.series_creations_per_sec", &engine->series_creations_per_sec, 0,
                 1'000'000'000);
  config->GetBool("storage.expire", &engine->expire);
  config->GetBool("storage.migrate_schemas", &engine->migrate_schemas);
  config->GetBytes("storage.disk_reserve", &engine->disk_reserve_bytes, 0, kTiB);
}

void GetSeriesLimits(Config* config, std::vector<SeriesLimit>* limits) {
  const size_t count = config->TableCount("series_limit");
  for (size_t i = 0; i < count; ++i) {
    const std::string table = absl::StrCat("series_limit.", i, ".");
    if (i >= SeriesLimits::kPrefixesMax) {
      config->Fail(table + "prefix",
                   absl::StrCat("more than ", SeriesLimits::kPrefixesMax, " prefixes"));
      return;
    }
    SeriesLimit limit;
    config->Require(table + "prefix");
    config->GetString(table + "prefix", &limit.prefix);
    config->GetInt(table + "series_max", &limit.series_max, 1, 4'000'000'000);
    config->GetInt(table + "creations_per_sec", &limit.creations_per_sec, 1, 1'000'000'000);
    limits->push_back(std::move(limit));
  }
}

void GetLimits(Config* config, NodeLimits* limits) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  config->GetInt("limits.fetch_series_max", &limits->fetch_series_max, 1, kMax);
  config->GetInt("limits.fetch_points_max", &limits->fetch_points_max, 1, kMax);
  config->GetInt("limits.query_concurrency_max", &limits->query_concurrency_max, 1, 1024);
  config->GetBytes("limits.message_bytes_max", &limits->message_bytes_max, 16 << 20, 256 << 20);
  config->GetInt("limits.write_streams_max", &limits->write_streams_max, 1, 10'000);
  config->GetDurationMs("limits.refused_retry", &limits->refused_retry_ms, 100, 86'400'000);
  config->GetBytes("limits.write_inflight_bytes_max", &limits->write_inflight_bytes_max, 1 << 20,
                   4LL << 30);
}

absl::StatusOr<bool> RuleFileExists(const std::string& path) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  if (error) return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
  return exists;
}

}  // namespace

absl::StatusOr<NodeConfig> LoadNodeConfig(const CommandLine& command_line) {
  SHOAL_ASSIGN_OR_RETURN(Config config,
                         Config::Load(command_line.config_path, command_line.overrides));
  NodeConfig node;
  GetIdentity(&config, "node.name", &node.name);
  GetIdentity(&config, "node.cluster", &node.cluster);
  config.Require("node.data_dir");
  config.GetString("node.data_dir", &node.data_dir);
  GetListen(&config, "listen.grpc", &node.grpc_listen);
  GetListen(&config, "listen.http", &node.http_listen);
  config.GetChoice("log.level", &node.log_level, {"debug", "info", "warning", "error"});
  GetStorage(&config, &node.engine);
  GetSeriesLimits(&config, &node.engine.series_limits);
  GetLimits(&config, &node.limits);

  std::string schemas;
  std::string aggregation;
  config.GetString("storage.schemas", &schemas);
  config.GetString("storage.aggregation", &aggregation);
  SHOAL_RETURN_IF_ERROR(config.Finish());

  // A file that is named must be there; without a name, Graphite's own file name beside node.toml
  // is taken if it exists.
  const bool schemas_named = !schemas.empty();
  const bool aggregation_named = !aggregation.empty();
  const std::string schemas_path =
      config.ResolvePath(schemas_named ? schemas : "storage-schemas.conf");
  const std::string aggregation_path =
      config.ResolvePath(aggregation_named ? aggregation : "storage-aggregation.conf");
  SHOAL_ASSIGN_OR_RETURN(const bool have_schemas, RuleFileExists(schemas_path));
  if (have_schemas || schemas_named) {
    SHOAL_ASSIGN_OR_RETURN(node.engine.schemas, SchemaRules::Load(schemas_path));
  }
  SHOAL_ASSIGN_OR_RETURN(const bool have_aggregation, RuleFileExists(aggregation_path));
  if (have_aggregation || aggregation_named) {
    SHOAL_ASSIGN_OR_RETURN(node.engine.aggregations, AggregationRules::Load(aggregation_path));
  }

  node.data_dir = config.ResolvePath(node.data_dir);
  node.engine.dir = node.data_dir;
  node.engine.cluster_name = node.cluster;
  node.engine.node_name = node.name;
  return node;
}

}  // namespace shoal
