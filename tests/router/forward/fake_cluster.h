// A dispatcher over peers in memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/stats.h"
#include "router/forward/dispatcher.h"
#include "tests/router/forward/fake_peer.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {

class FakeCluster {
 public:
  explicit FakeCluster(int nodes = 3, int replication = 2, int write_copies = 2,
                       int64_t memory_bytes_max = 64 << 20, int64_t spool_bytes_max = 1 << 30)
      : budget_(memory_bytes_max) {
    topology_.cluster = "test";
    topology_.replication = replication;
    std::vector<std::unique_ptr<NodeClient>> clients;
    for (int i = 0; i < nodes; ++i) {
      TopologyNode node;
      node.name = absl::StrCat("node-", i + 1);
      node.address = absl::StrCat("127.0.0.1:", i + 1);
      topology_.nodes.push_back(node);
      peers_.push_back(std::make_unique<FakePeer>());
      HintSpoolOptions spool;
      spool.fs = &fs_;
      spool.dir = absl::StrCat("/spool/", node.name);
      spool.bytes_max = spool_bytes_max;
      auto opened = HintSpool::Open(spool);
      SHOAL_CHECK(opened.ok());
      NodeClientOptions options;
      options.hello.node = node.name;
      options.ack_timeout = std::chrono::milliseconds(200);
      options.backoff_min = std::chrono::milliseconds(1);
      options.backoff_max = std::chrono::milliseconds(10);
      clients.push_back(std::make_unique<NodeClient>(options, peers_.back()->NewTransport(),
                                                     *std::move(opened), &metrics_));
    }
    dispatcher_ =
        std::make_unique<Dispatcher>(topology_, write_copies, &budget_, std::move(clients));
    dispatcher_->Start();
  }

  Dispatcher* dispatcher() { return dispatcher_.get(); }
  MemoryBudget* budget() { return &budget_; }
  MetricRegistry* metrics() { return &metrics_; }
  FakePeer* peer(int i) { return peers_[static_cast<size_t>(i)].get(); }
  const Topology& topology() const { return topology_; }
  // Points on all peers together, copies and repetitions counted.
  size_t total_points() const {
    size_t total = 0;
    for (const auto& peer : peers_) total += peer->point_count();
    return total;
  }
  // Sum over all series of `name` whose labels contain `label`.
  double Metric(const std::string& name, const std::string& label = "") const {
    const std::string text = metrics_.PrometheusText();
    double sum = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      const size_t name_end = line.find_first_of("{ ");
      if (line.substr(0, name_end) != name || line.find(label) == std::string::npos) continue;
      sum += std::stod(line.substr(line.rfind(' ')));
    }
    return sum;
  }

 private:
  FaultFileSystem fs_;
  MetricRegistry metrics_;
  MemoryBudget budget_;
  Topology topology_;
  std::vector<std::unique_ptr<FakePeer>> peers_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace shoal
