#include "router/router_server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/net/http_server.h"
#include "base/stats.h"
#include "base/status_macros.h"
#include "router/api/api.h"
#include "router/cluster_handler.h"
#include "router/forward/dispatcher.h"
#include "router/forward/grpc_node_reader.h"
#include "router/forward/grpc_transport.h"
#include "router/ingest/address_check.h"
#include "router/query/scatter.h"
#include "router/web/web_ui.h"
#include "storage/fs/file_system.h"

namespace shoal {
namespace {

// Together with the spooling of the rest, well within the ten seconds that a stop may take.
constexpr std::chrono::milliseconds kDrainPatience{2000};
constexpr std::chrono::milliseconds kDrainMax{5000};
constexpr int64_t kHttpGraceMs = 1000;

// A number above that of every earlier life of this router, also when the clock went back or the
// data folder is new.
absl::StatusOr<uint64_t> NextIncarnation(FileSystem* fs, const std::string& path) {
  uint64_t last = 0;
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(path));
  if (exists) {
    SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadFile(fs, path, 64));
    // Damaged: the clock alone has to do.
    if (!absl::SimpleAtoi(text, &last)) LogWarning("router", path, ": not a number, ignored");
  }
  // A life may open a million streams to a node; seconds leave room for that.
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const uint64_t next =
      std::max(last + 1, static_cast<uint64_t>(std::max<int64_t>(now.count(), 0)));
  SHOAL_RETURN_IF_ERROR(WriteFileAtomically(fs, path, absl::StrCat(next, "\n")));
  return next << 20;
}

}  // namespace

struct RouterServer::Impl {
  explicit Impl(RouterConfig router_config)
      : config(std::move(router_config)), budget(config.memory_bytes_max) {}

  absl::Status OpenDataDir();
  absl::StatusOr<std::unique_ptr<NodeClient>> MakeClient(const TopologyNode& node);
  void AddMetrics();
  void AddRoutes();
  std::vector<std::unique_ptr<NodeReader>> MakeReaders() const;
  // Empty, or why the router cannot take points now.
  std::string WhyNotReady() const;

  // Order of construction; destroyed in reverse.
  const RouterConfig config;
  MetricRegistry metrics;
  MemoryBudget budget;
  std::unique_ptr<File> lock;
  uint64_t incarnation = 0;
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<IngestServer> ingest;
  std::unique_ptr<Scatter> scatter;
  std::unique_ptr<ClusterHandler> cluster;
  std::unique_ptr<HttpServer> http;
  std::atomic<bool> serving{false};
  bool started = false;
};

absl::Status RouterServer::Impl::OpenDataDir() {
  FileSystem* const fs = FileSystem::Posix();
  SHOAL_RETURN_IF_ERROR(
      Annotate(fs->CreateDirs(JoinPath(config.data_dir, "spool")), "router.data_dir"));
  absl::StatusOr<std::unique_ptr<File>> taken = fs->Lock(JoinPath(config.data_dir, "LOCK"));
  SHOAL_RETURN_IF_ERROR(Annotate(taken.status(), "router.data_dir"));
  lock = *std::move(taken);
  absl::StatusOr<uint64_t> next = NextIncarnation(fs, JoinPath(config.data_dir, "INCARNATION"));
  SHOAL_RETURN_IF_ERROR(Annotate(next.status(), "router.data_dir"));
  incarnation = *next;

  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> spools,
                         fs->List(JoinPath(config.data_dir, "spool")));
  for (const std::string& name : spools) {
    const auto& nodes = config.topology.nodes;
    if (std::none_of(nodes.begin(), nodes.end(),
                     [&name](const TopologyNode& node) { return node.name == name; })) {
      LogWarning("spool", JoinPath(config.data_dir, "spool"), ": ", name,
                 " is not a node of the topology; its points stay where they are");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<NodeClient>> RouterServer::Impl::MakeClient(
    const TopologyNode& node) {
  HintSpoolOptions spool_options;
  // Names of nodes are safe as names of folders: the topology has seen to that.
  spool_options.dir = JoinPath(JoinPath(config.data_dir, "spool"), node.name);
  spool_options.bytes_max = config.spool_bytes_max;
  spool_options.segment_bytes = config.spool_segment_bytes;
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<HintSpool> spool,
                         HintSpool::Open(std::move(spool_options)));
  NodeClientOptions options;
  options.hello.cluster = config.topology.cluster;
  options.hello.router = config.name;
  options.hello.topology_epoch = config.topology.epoch;
  options.hello.node = node.name;
  options.incarnation_base = incarnation;
  options.connect_timeout = std::chrono::milliseconds(config.connect_timeout_ms);
  options.ack_timeout = std::chrono::milliseconds(config.ack_timeout_ms);
  options.slow_timeout = std::chrono::milliseconds(config.slow_timeout_ms);
  options.window_bytes_max = static_cast<size_t>(config.window_bytes_max);
  options.drop_oldest = config.spool_drop_oldest;
  return std::make_unique<NodeClient>(std::move(options), MakeGrpcTransport({node.address}),
                                      std::move(spool), &metrics);
}

std::vector<std::unique_ptr<NodeReader>> RouterServer::Impl::MakeReaders() const {
  std::vector<std::unique_ptr<NodeReader>> readers;
  for (const TopologyNode& node : config.topology.nodes) {
    readers.push_back(MakeGrpcNodeReader({node.name, node.address}));
  }
  return readers;
}

void RouterServer::Impl::AddMetrics() {
  metrics.AddCallbackGauge("shoal_router_memory_bytes",
                           "Bytes of points that are not durable yet (ingest.memory_max).", {},
                           [this] { return static_cast<double>(budget.used()); });
  for (size_t i = 0; i < config.topology.nodes.size(); ++i) {
    const Labels labels = {{"node", config.topology.nodes[i].name}};
    metrics.AddCallbackGauge(
        "shoal_router_node_up", "1: the node has a write stream from this router.", labels,
        [this, i] { return dispatcher->StatusOf(i).state == ReplicaState::kDown ? 0 : 1; });
    metrics.AddCallbackGauge(
        "shoal_router_node_whole", "1: the node has every acknowledged point of this router.",
        labels,
        [this, i] { return dispatcher->StatusOf(i).state == ReplicaState::kWhole ? 1 : 0; });
    metrics.AddCallbackGauge(
        "shoal_router_spool_bytes", "Bytes on this router's disk that wait for the node.", labels,
        [this, i] { return static_cast<double>(dispatcher->StatusOf(i).spool_bytes); });
    metrics.AddCallbackGauge(
        "shoal_router_node_pending_batches",
        "Batches in memory that the node has not acknowledged.", labels,
        [this, i] { return static_cast<double>(dispatcher->StatusOf(i).pending_batches); });
  }
}

std::string RouterServer::Impl::WhyNotReady() const {
  if (!serving.load()) return "the router is starting or stopping";
  // Places where a copy can be durable: the nodes with a stream, and the spool in the place of one
  // that has none.
  int places = 0;
  bool any_down = false;
  for (size_t i = 0; i < config.topology.nodes.size(); ++i) {
    const bool down = dispatcher->StatusOf(i).state == ReplicaState::kDown;
    places += down ? 0 : 1;
    any_down = any_down || down;
  }
  places += any_down ? 1 : 0;
  if (places >= config.write_copies) return "";
  return absl::StrCat("points can be durable in ", places, " places only, ", config.write_copies,
                      " are needed: too many nodes are away");
}

void RouterServer::Impl::AddRoutes() {
  // Health answers while every worker is busy with queries.
  http->Route(
      "GET", "/healthz", [](const HttpRequest&) { return HttpResponse::Text(200, "ok\n"); },
      HttpLane::kControl);
  http->Route(
      "GET", "/readyz",
      [this](const HttpRequest&) {
        const std::string why_not = WhyNotReady();
        if (why_not.empty()) return HttpResponse::Text(200, "ready\n");
        return HttpResponse::Text(503, absl::StrCat(why_not, "\n"));
      },
      HttpLane::kControl);
  http->Route("GET", "/cluster/nodes", [this](const HttpRequest&) { return cluster->Nodes(); });
  ApiOptions api;
  api.timeout_ms = config.query_timeout_ms;
  api.eval.series_max = static_cast<size_t>(config.query_series_max);
  api.eval.points_max = config.query_points_max;
  // GET /metrics is Graphite's find with a query, and Prometheus' text without.
  api.metrics = &metrics;
  RegisterApi(http.get(), scatter.get(), api);
  RegisterWebUi(http.get());
}

RouterServer::RouterServer(RouterConfig config)
    : impl_(std::make_unique<Impl>(std::move(config))) {}

RouterServer::~RouterServer() { Shutdown(); }

absl::Status RouterServer::Init() {
  Impl& router = *impl_;
  const Topology& topology = router.config.topology;
  // Before anything is touched.
  const HostPort& line = router.config.ingest.address;
  SHOAL_RETURN_IF_ERROR(Annotate(CheckAddressIsFree(line, AddressKind::kTcp), "listen.line"));
  SHOAL_RETURN_IF_ERROR(Annotate(CheckAddressIsFree(line, AddressKind::kUdp), "listen.line"));
  SHOAL_ASSIGN_OR_RETURN(const HostPort http_address, ParseHostPort(router.config.http_listen));
  SHOAL_RETURN_IF_ERROR(
      Annotate(CheckAddressIsFree(http_address, AddressKind::kTcp), "listen.http"));
  SHOAL_RETURN_IF_ERROR(router.OpenDataDir());
  std::vector<std::unique_ptr<NodeClient>> clients;
  for (const TopologyNode& node : topology.nodes) {
    SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<NodeClient> client, router.MakeClient(node));
    clients.push_back(std::move(client));
  }
  router.dispatcher = std::make_unique<Dispatcher>(topology, router.config.write_copies,
                                                   &router.budget, std::move(clients));
  router.ingest = std::make_unique<IngestServer>(
      [&] {
        IngestOptions options = router.config.ingest;
        options.listener.pipeline.names.partition_count = topology.partitions;
        return options;
      }(),
      router.dispatcher.get(), &router.budget, &router.metrics);
  SHOAL_RETURN_IF_ERROR(Annotate(router.ingest->Init(), "listen.line"));

  ScatterOptions scatter;
  scatter.fan_out.metrics = &router.metrics;
  scatter.series_max = static_cast<uint64_t>(router.config.query_series_max);
  scatter.points_max = static_cast<uint64_t>(router.config.query_points_max);
  router.scatter = std::make_unique<Scatter>(
      std::make_shared<const Topology>(topology), std::make_shared<const PartitionMap>(topology),
      router.MakeReaders(), router.dispatcher.get(), scatter);
  router.cluster = std::make_unique<ClusterHandler>(topology, router.config.write_copies,
                                                    router.dispatcher.get(), router.MakeReaders());
  HttpServerOptions http;
  http.address = router.config.http_listen;
  http.threads = router.config.query_threads;
  http.metrics = &router.metrics;
  http.metric_prefix = "shoal_router";
  router.http = std::make_unique<HttpServer>(http);
  router.AddMetrics();
  router.AddRoutes();
  return absl::OkStatus();
}

absl::Status RouterServer::Start() {
  Impl& router = *impl_;
  SHOAL_RETURN_IF_ERROR(Annotate(router.http->Start(), "listen.http"));
  router.started = true;
  router.dispatcher->Start();
  router.ingest->Start();
  router.serving.store(true);
  LogInfo("router", router.config.name, " serves cluster ", router.config.topology.cluster,
          " (epoch ", router.config.topology.epoch, ", ", router.config.topology.nodes.size(),
          " nodes, ", router.config.topology.replication, " replicas, acknowledges at ",
          router.config.write_copies, "): lines on port ", router.ingest->port(), ", HTTP on port ",
          router.http->port());
  return absl::OkStatus();
}

void RouterServer::Shutdown() {
  Impl& router = *impl_;
  router.serving.store(false);
  if (router.started) {
    router.ingest->StopReading();
    router.dispatcher->Drain(kDrainPatience);
    if (!router.ingest->WaitSettled(kDrainMax)) {
      LogWarning("router",
                 "some points that were read are not durable in enough places; their senders have "
                 "no acknowledgement");
    }
    router.dispatcher->Stop();
    router.ingest->Stop();
    router.http->Stop(kHttpGraceMs);
    router.started = false;
  }
}

uint16_t RouterServer::line_port() const { return impl_->ingest->port(); }
uint16_t RouterServer::http_port() const { return impl_->http->port(); }

}  // namespace shoal
