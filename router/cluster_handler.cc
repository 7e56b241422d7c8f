#include "router/cluster_handler.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace shoal {
namespace {

constexpr std::chrono::milliseconds kFiguresAge{1000};
constexpr std::chrono::milliseconds kAskTimeout{500};
constexpr size_t kAskThreads = 16;

const char* StateName(ReplicaState state) {
  switch (state) {
    case ReplicaState::kWhole:
      return "up";
    case ReplicaState::kCatchingUp:
      return "catching_up";
    case ReplicaState::kDown:
      return "down";
  }
  return "down";
}

}  // namespace

ClusterHandler::ClusterHandler(const Topology& topology, int write_copies,
                               const Dispatcher* dispatcher,
                               std::vector<std::unique_ptr<NodeReader>> readers)
    : topology_(topology),
      write_copies_(write_copies),
      dispatcher_(dispatcher),
      readers_(std::move(readers)) {}

std::vector<ClusterHandler::Figures> ClusterHandler::AskNodes() {
  std::vector<Figures> figures(readers_.size());
  std::atomic<size_t> next{0};
  const auto deadline = std::chrono::steady_clock::now() + kAskTimeout;
  const auto ask = [&] {
    for (size_t i; (i = next.fetch_add(1)) < readers_.size();) {
      // A node without a write stream would only cost the wait.
      if (dispatcher_->StatusOf(i).state == ReplicaState::kDown) continue;
      absl::StatusOr<NodeStatus> status = readers_[i]->Status(deadline);
      if (!status.ok()) continue;
      figures[i].known = true;
      figures[i].status = *std::move(status);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(kAskThreads, readers_.size()); ++i) threads.emplace_back(ask);
  ask();
  for (std::thread& thread : threads) thread.join();
  return figures;
}

HttpResponse ClusterHandler::Nodes() {
  MutexLock lock(&mu_);
  if (const auto now = std::chrono::steady_clock::now(); !asked_ || now - asked_at_ > kFiguresAge) {
    figures_ = AskNodes();
    asked_at_ = std::chrono::steady_clock::now();
    asked_ = true;
  }
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](const char* key, const std::string& value) {
    json.Key(key);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  const auto number = [&json](const char* key, uint64_t value) {
    json.Key(key);
    json.Uint64(value);
  };
  json.StartObject();
  text("cluster", topology_.cluster);
  json.Key("epoch");
  json.Int64(topology_.epoch);
  number("partitions", topology_.partitions);
  number("replication", static_cast<uint64_t>(topology_.replication));
  number("write_copies", static_cast<uint64_t>(write_copies_));
  json.Key("nodes");
  json.StartArray();
  for (size_t i = 0; i < topology_.nodes.size(); ++i) {
    const TopologyNode& node = topology_.nodes[i];
    const NodeClientStatus client = dispatcher_->StatusOf(i);
    json.StartObject();
    text("name", node.name);
    text("address", node.address);
    text("zone", node.zone);
    text("state", StateName(client.state));
    text("topology_state", NodeStateName(node.state));
    number("spool_bytes", client.spool_bytes);
    number("pending_batches", client.pending_batches);
    json.Key("last_ack_age_ms");
    if (client.last_ack_age_ms < 0) {
      json.Null();
    } else {
      json.Int64(client.last_ack_age_ms);
    }
    text("error", client.last_error);
    if (const Figures& figures = figures_[i]; figures.known) {
      const NodeStatus& status = figures.status;
      text("version", status.version);
      number("series", status.series);
      number("points_written", status.points_written);
      number("write_buffer_points", status.write_buffer_points);
      number("write_buffer_bytes", status.write_buffer_bytes);
      number("wal_bytes", status.wal_bytes);
      number("disk_bytes", status.disk_bytes);
      number("bad_pages", status.bad_pages);
      json.Key("read_only");
      json.Bool(status.read_only);
      text("read_only_reason", status.read_only_reason);
      json.Key("started_sec");
      json.Int64(status.started_sec);
    }
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return HttpResponse::Json(200, std::string(buffer.GetString(), buffer.GetSize()));
}

}  // namespace shoal
