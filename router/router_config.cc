#include "router/router_config.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/config.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr int64_t kTiB = int64_t{1} << 40;
constexpr int64_t kDayMs = 86'400'000;

HostPort GetListen(Config* config, absl::string_view key, std::string* value) {
  config->GetString(key, value);
  const absl::StatusOr<HostPort> parsed = ParseHostPort(*value);
  if (parsed.ok()) return *parsed;
  config->Fail(key, parsed.status().message());
  return HostPort();
}

// The node tells routers apart by name, so the default must differ between routers of one machine.
std::string DefaultName(uint16_t port) {
  char host[256] = "router";
  if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  std::string name;
  for (const char* c = host; *c != '\0'; ++c) {
    name.push_back(
        absl::ascii_isalnum(static_cast<unsigned char>(*c)) || *c == '-' || *c == '.' ? *c : '_');
  }
  return absl::StrCat(name.empty() ? "router" : name, "-", port);
}

void GetName(Config* config, std::string* name) {
  config->GetString("router.name", name);
  const bool plain = std::all_of(name->begin(), name->end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  if (!plain || name->size() > 128) {
    config->Fail("router.name", "must be at most 128 of the characters A-Z a-z 0-9 - _ .");
  }
}

void GetIngest(Config* config, IngestOptions* ingest, int64_t* memory_bytes_max) {
  ListenerOptions& listener = ingest->listener;
  int64_t loops = ingest->loops;
  config->GetInt("ingest.loops", &loops, 0, 256);
  ingest->loops = static_cast<int>(loops);
  int64_t batch_points = listener.pipeline.batch_points;
  config->GetInt("ingest.batch_points", &batch_points, 1, 65536);
  listener.pipeline.batch_points = static_cast<uint32_t>(batch_points);
  config->GetDurationMs("ingest.batch_age", &listener.batch_age_ms, 1, 10'000);
  config->GetBytes("ingest.memory_max", memory_bytes_max, 1 << 20, kTiB);
  config->GetInt("ingest.connections_max", &listener.connections_max, 1, 1'000'000);
  config->GetDurationMs("ingest.idle_timeout", &listener.idle_timeout_ms, 0, 365 * kDayMs);
  // The most that a connection keeps between two reads.
  int64_t line_bytes = static_cast<int64_t>(listener.line_bytes_max);
  config->GetBytes("ingest.line_bytes_max", &line_bytes, 64, 64 << 10);
  listener.line_bytes_max = static_cast<size_t>(line_bytes);
  int64_t names = static_cast<int64_t>(listener.pipeline.names.names_max);
  config->GetInt("ingest.name_table_max", &names, 1024, 100'000'000);
  listener.pipeline.names.names_max = static_cast<size_t>(names);
  int64_t name_bytes = static_cast<int64_t>(listener.pipeline.names.bytes_max);
  config->GetBytes("ingest.name_table_bytes_max", &name_bytes, 1 << 20, kTiB);
  listener.pipeline.names.bytes_max = static_cast<size_t>(name_bytes);
  int64_t udp_bytes = listener.udp_buffer_bytes;
  config->GetBytes("ingest.udp_buffer_bytes", &udp_bytes, 4096, 1 << 30);
  listener.udp_buffer_bytes = static_cast<int>(udp_bytes);
  config->GetBool("ingest.accept_infinite", &listener.pipeline.syntax.accept_infinite);
  config->GetBool("ingest.accept_two_fields", &listener.pipeline.syntax.accept_two_fields);
}

void GetForward(Config* config, RouterConfig* router) {
  config->GetDurationMs("forward.connect_timeout", &router->connect_timeout_ms, 10, 60'000);
  config->GetDurationMs("forward.ack_timeout", &router->ack_timeout_ms, 10, 600'000);
  config->GetDurationMs("forward.slow_timeout", &router->slow_timeout_ms, 10, 3'600'000);
  config->GetBytes("forward.window_bytes_max", &router->window_bytes_max, 1 << 20, 1 << 30);
}

void GetSpool(Config* config, RouterConfig* router) {
  config->GetBytes("spool.segment_bytes", &router->spool_segment_bytes, 1 << 20, 1 << 30);
  config->GetBytes("spool.bytes_max", &router->spool_bytes_max, 4 << 20, kTiB);
  if (router->spool_bytes_max < 4 * router->spool_segment_bytes) {
    config->Fail("spool.bytes_max", "must be at least four times spool.segment_bytes");
  }
  std::string when_full = "block";
  config->GetChoice("spool.when_full", &when_full, {"block", "drop_oldest"});
  router->spool_drop_oldest = when_full == "drop_oldest";
}

void GetQuery(Config* config, RouterConfig* router) {
  config->GetDurationMs("query.timeout", &router->query_timeout_ms, 10, 3'600'000);
  config->GetInt("query.series_max", &router->query_series_max, 1, 1'000'000'000);
  config->GetInt("query.points_max", &router->query_points_max, 1, 1'000'000'000'000);
  int64_t threads = router->query_threads;
  config->GetInt("query.threads", &threads, 1, 1024);
  router->query_threads = static_cast<int>(threads);
}

}  // namespace

absl::StatusOr<RouterConfig> LoadRouterConfig(const CommandLine& command_line) {
  SHOAL_ASSIGN_OR_RETURN(Config config,
                         Config::Load(command_line.config_path, command_line.overrides));
  RouterConfig router;
  GetName(&config, &router.name);
  config.Require("router.data_dir");
  config.GetString("router.data_dir", &router.data_dir);
  std::string line_listen = "127.0.0.1:2003";
  router.ingest.address = GetListen(&config, "listen.line", &line_listen);
  GetListen(&config, "listen.http", &router.http_listen);
  config.GetChoice("log.level", &router.log_level, {"debug", "info", "warning", "error"});
  router.topology_path = "topology.toml";
  config.GetString("cluster.topology", &router.topology_path);
  int64_t write_copies = 0;
  config.GetInt("cluster.write_copies", &write_copies, 1, 16);
  GetIngest(&config, &router.ingest, &router.memory_bytes_max);
  GetForward(&config, &router);
  GetSpool(&config, &router);
  GetQuery(&config, &router);
  SHOAL_RETURN_IF_ERROR(config.Finish());

  if (router.name.empty()) router.name = DefaultName(router.ingest.address.port);
  router.data_dir = config.ResolvePath(router.data_dir);
  router.topology_path = config.ResolvePath(router.topology_path);
  SHOAL_ASSIGN_OR_RETURN(router.topology, Topology::Load(router.topology_path));
  const int replication = router.topology.replication;
  router.write_copies =
      write_copies == 0 ? std::min(replication, 2) : static_cast<int>(write_copies);
  if (router.write_copies > replication) {
    config.Fail("cluster.write_copies",
                absl::StrCat("is ", router.write_copies, ", but the cluster keeps only ",
                             replication, " copies (", router.topology_path, ")"));
    return config.Finish();
  }
  return router;
}

}  // namespace shoal
