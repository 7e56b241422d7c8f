#include "node/node_server.h"

#include <grpcpp/impl/service_type.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/logging.h"
#include "base/net/http_server.h"
#include "base/stats.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "node/admin_service.h"
#include "node/node_context.h"
#include "node/node_service.h"
#include "node/query_service.h"
#include "node/write_service.h"
#include "proto/grpc_runtime.h"

namespace shoal {
namespace {

// Calls that have not ended by then are cancelled. Well within the ten seconds that a stop may
// take.
constexpr std::chrono::seconds kStopGrace(3);
// A peer that is silent is asked after the first, and given up after the second.
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kPeerPingIntervalMinMs = 2'000;
constexpr int kStreamsPerConnectionMax = 256;
// Threads for calls beyond write streams and running queries: those that wait for a turn, Status,
// and gRPC's own pollers.
constexpr int kSpareThreads = 64;

}  // namespace

struct NodeServer::Impl {
  explicit Impl(NodeConfig node_config)
      : config(std::move(node_config)),
        write((InitContext(), &context)),
        query(&context),
        http(HttpOptions()) {}

  void InitContext() {
    context.name = config.name;
    context.cluster = config.cluster;
    context.limits = config.limits;
    context.started_sec = Clock::System()->NowSec();
    context.metrics = &metrics;
  }
  HttpServerOptions HttpOptions() {
    HttpServerOptions options;
    options.address = config.http_listen;
    options.threads = 2;
    options.body_bytes_max = 64 << 10;
    options.connections_max = 200;
    options.metrics = &metrics;
    options.metric_prefix = "shoal_node";
    return options;
  }

  void AddRoutes();
  absl::Status StartGrpc();
  void StopGrpc();

  NodeConfig config;
  MetricRegistry metrics;
  NodeContext context;
  WriteService write;
  QueryService query;
  HttpServer http;
  std::unique_ptr<grpc::Service> service;
  std::unique_ptr<grpc::Service> admin;
  std::unique_ptr<grpc::Server> grpc;
  int grpc_port = 0;
  std::unique_ptr<Engine> engine;
  bool stopped = false;
};

void NodeServer::Impl::AddRoutes() {
  http.Route(
      "GET", "/healthz", [](const HttpRequest&) { return HttpResponse::Text(200, "ok\n"); },
      HttpLane::kControl);
  http.Route(
      "GET", "/readyz",
      [this](const HttpRequest&) {
        if (context.engine.load() == nullptr) {
          return HttpResponse::Text(503, "the node is starting or stopping\n");
        }
        return HttpResponse::Text(200, "ready\n");
      },
      HttpLane::kControl);
  http.Route("GET", "/metrics", [this](const HttpRequest&) {
    HttpResponse response = HttpResponse::Text(200, metrics.PrometheusText());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  });
}

absl::Status NodeServer::Impl::StartGrpc() {
  const int message_bytes_max = static_cast<int>(config.limits.message_bytes_max);
  service = MakeNodeService(&write, &query);
  admin = MakeAdminService(&context);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(config.grpc_listen, grpc::InsecureServerCredentials(), &grpc_port);
  builder.RegisterService(service.get());
  builder.RegisterService(admin.get());
  builder.SetMaxReceiveMessageSize(message_bytes_max);
  builder.SetMaxSendMessageSize(message_bytes_max);
  // Without this a second process binds the same port and takes half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPeerPingIntervalMinMs);
  grpc::ResourceQuota quota("shoal-node");
  quota.SetMaxThreads(static_cast<int>(config.limits.write_streams_max) +
                      static_cast<int>(config.limits.query_concurrency_max) * 5 + kSpareThreads);
  builder.SetResourceQuota(quota);
  grpc = builder.BuildAndStart();
  if (grpc == nullptr || grpc_port == 0) {
    return absl::UnavailableError(
        absl::StrCat("listen ", config.grpc_listen,
                     " (listen.grpc): the address is in use or not this machine's"));
  }
  return absl::OkStatus();
}

void NodeServer::Impl::StopGrpc() {
  write.Shutdown();
  if (grpc != nullptr) {
    grpc->Shutdown(std::chrono::system_clock::now() + kStopGrace);
    grpc->Wait();
  }
}

NodeServer::NodeServer(NodeConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}

NodeServer::~NodeServer() {
  if (const absl::Status status = Stop(); !status.ok()) {
    LogError("node", "stop: ", status.ToString());
  }
}

absl::Status NodeServer::Start() {
  InitGrpcRuntime();
  Impl& node = *impl_;
  node.AddRoutes();
  SHOAL_RETURN_IF_ERROR(Annotate(node.http.Start(), "listen.http"));
  SHOAL_RETURN_IF_ERROR(node.StartGrpc());

  EngineOptions options = std::move(node.config.engine);
  options.metrics = &node.metrics;
  const auto started = std::chrono::steady_clock::now();
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(std::move(options));
  if (!engine.ok()) return Annotate(engine.status(), node.config.data_dir);
  node.engine = *std::move(engine);
  const RecoveryReport& recovery = node.engine->recovery();
  LogInfo("node", "opened ", node.config.data_dir, " in ",
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                started)
              .count(),
          " ms: ", node.engine->Stats().series, " series, ", recovery.points_replayed,
          " points from ", recovery.wal_records, " log records");
  if (recovery.torn_tail_bytes > 0) {
    LogWarning("node", "cut a torn log tail of ", recovery.torn_tail_bytes, " bytes");
  }
  if (recovery.damaged_records > 0) {
    LogError("node", recovery.damaged_records, " damaged log records were not replayed");
  }
  if (recovery.index_rebuilt) LogWarning("node", "the series index was rebuilt");
  node.context.engine.store(node.engine.get());
  LogInfo("node", "node ", node.config.name, " of cluster ", node.config.cluster, ", version ",
          Version(), ": gRPC on port ", node.grpc_port, ", HTTP on port ", node.http.port());
  return absl::OkStatus();
}

absl::Status NodeServer::Stop() {
  Impl& node = *impl_;
  if (node.stopped) return absl::OkStatus();
  node.stopped = true;
  // Calls that run keep the engine that they loaded; StopGrpc waits for them.
  node.context.engine.store(nullptr);
  node.StopGrpc();
  absl::Status status;
  if (node.engine != nullptr) status = node.engine->Close();
  node.http.Stop();
  return status;
}

uint16_t NodeServer::grpc_port() const { return static_cast<uint16_t>(impl_->grpc_port); }
uint16_t NodeServer::http_port() const { return impl_->http.port(); }

}  // namespace shoal
