#include "router/forward/node_client.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/router/forward/fake_peer.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using std::chrono::milliseconds;

// One client, one peer, a spool on a file system in memory. Every batch is a chunk of its own with
// R = 1.
class NodeClientTest : public testing::Test {
 protected:
  NodeClientTest() {
    options_.hello.node = "node-1";
    options_.connect_timeout = milliseconds(100);
    options_.hello_timeout = milliseconds(200);
    options_.ack_timeout = milliseconds(100);
    options_.slow_timeout = milliseconds(60'000);
    options_.stall_timeout = milliseconds(300);
    options_.backoff_min = milliseconds(1);
    options_.backoff_max = milliseconds(10);
    spool_.fs = &fs_;
    spool_.dir = "/spool/node-1";
    spool_.segment_bytes = 4096;
    book_ = std::make_shared<NameBook>(1000, 1 << 20);
    for (int i = 0; i < 10; ++i) book_->Add(Name(i), Name(i), 0);
  }
  ~NodeClientTest() override { Stop(); }

  static std::string Name(int i) { return absl::StrCat("series.", i); }

  void Start() {
    auto spool = HintSpool::Open(spool_);
    ASSERT_TRUE(spool.ok()) << spool.status();
    options_.incarnation_base += 1 << 20;
    client_ =
        std::make_unique<NodeClient>(options_, peer_.NewTransport(), *std::move(spool), &metrics_);
    client_->Start();
  }
  void Stop() { client_ = nullptr; }

  // A batch of `points` points of one series; values count up over the whole test, timestamps
  // repeat.
  void Send(int points = 1, int series = 0) {
    auto batch = std::make_shared<NodeBatch>();
    batch->names = book_;
    for (int i = 0; i < points; ++i) {
      batch->refs.push_back(static_cast<uint32_t>(series));
      batch->timestamps_sec.push_back(static_cast<uint32_t>(1000 + next_value_ % 7));
      batch->values.push_back(next_value_++);
      batch->indexes.push_back(static_cast<uint32_t>(i));
      newest_[{Name(series), batch->timestamps_sec.back()}] = batch->values.back();
    }
    batch->created = std::chrono::steady_clock::now();
    batch->chunk = std::make_shared<Chunk>(static_cast<uint32_t>(points), 1, 1, 1, MemoryCharge(),
                                           [this](const ChunkResult& result) {
                                             acked_ += result.acked;
                                             dropped_ += result.dropped;
                                             for (const uint32_t n : result.rejected)
                                               rejected_ += n;
                                           });
    client_->Enqueue(std::move(batch));
  }
  bool WaitAcked(uint64_t points) {
    return WaitUntil([&] { return acked_ + rejected_ + dropped_ >= points; }) && acked_ == points;
  }
  bool WaitWhole() {
    return WaitUntil([&] { return client_->State() == ReplicaState::kWhole; });
  }
  // What the peer would answer a query with: the last write of every slot.
  std::map<std::pair<std::string, uint32_t>, double> PeerSlots() const {
    std::map<std::pair<std::string, uint32_t>, double> slots;
    for (const PeerPoint& point : peer_.Points()) {
      slots[{point.name, point.timestamp_sec}] = point.value;
    }
    return slots;
  }
  // Distinct values that the peer got: none may miss, however often some came.
  size_t DistinctValues() const {
    std::map<double, int> values;
    for (const PeerPoint& point : peer_.Points()) ++values[point.value];
    return values.size();
  }
  double Metric(const std::string& name) const {
    const std::string text = metrics_.PrometheusText();
    const size_t at = text.find("\n" + name + "{node=\"node-1\"} ");
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(text.find(' ', at)));
  }

  FaultFileSystem fs_;
  MetricRegistry metrics_;
  HintSpoolOptions spool_;
  NodeClientOptions options_;
  FakePeer peer_;
  std::shared_ptr<NameBook> book_;
  int next_value_ = 0;
  std::map<std::pair<std::string, uint32_t>, double> newest_;
  std::atomic<uint64_t> acked_{0};
  std::atomic<uint64_t> rejected_{0};
  std::atomic<uint64_t> dropped_{0};
  std::unique_ptr<NodeClient> client_;
};

TEST_F(NodeClientTest, DeliversInOrderAndReportsAcks) {
  Start();
  for (int i = 0; i < 100; ++i) Send(3, i % 5);
  ASSERT_TRUE(WaitAcked(300));
  const std::vector<PeerPoint> points = peer_.Points();
  ASSERT_EQ(points.size(), 300u);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(points[i].value, i);
  EXPECT_TRUE(WaitWhole());
  EXPECT_EQ(client_->Status().spool_bytes, 0u);
  EXPECT_EQ(Metric("shoal_router_node_acked_points_total"), 300);
}

TEST_F(NodeClientTest, RefusedPointsAreReportedByReason) {
  peer_.refuse = [](const PeerPoint& point, NodeRefusal* reason) {
    *reason = NodeRefusal::kTooOld;
    return static_cast<int>(point.value) % 3 == 0;
  };
  Start();
  Send(9);
  ASSERT_TRUE(WaitUntil([&] { return acked_ + rejected_ == 9; }));
  EXPECT_EQ(rejected_, 3u);
}

TEST_F(NodeClientTest, SendsAgainInOrderAfterABreak) {
  Start();
  Send(10);
  ASSERT_TRUE(WaitAcked(10));
  peer_.HoldAcks(true);
  for (int i = 0; i < 20; ++i) Send();
  ASSERT_TRUE(peer_.WaitForPoints(30));
  peer_.BreakStreams();
  peer_.HoldAcks(false);
  ASSERT_TRUE(WaitAcked(30));
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_GE(peer_.connects(), 2u);
  const std::vector<uint64_t> incarnations = peer_.incarnations();
  EXPECT_TRUE(std::is_sorted(incarnations.begin(), incarnations.end()));
  EXPECT_NE(incarnations.front(), incarnations.back());
}

TEST_F(NodeClientTest, DeadPeerMeansDurableSpoolAndThenReplayInOrder) {
  Start();
  Send(10);
  ASSERT_TRUE(WaitAcked(10));
  peer_.Kill();
  for (int i = 0; i < 200; ++i) Send(5, i % 3);
  ASSERT_TRUE(WaitAcked(1010));
  EXPECT_EQ(client_->State(), ReplicaState::kDown);
  EXPECT_GT(client_->Status().spool_bytes, 0u);
  EXPECT_EQ(peer_.point_count(), 10u);
  peer_.Revive();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), 1010u);
  EXPECT_EQ(client_->Status().spool_bytes, 0u);
  EXPECT_EQ(Metric("shoal_router_spool_replayed_points_total"), 1000);
  // Live again.
  Send();
  ASSERT_TRUE(WaitAcked(1011));
  EXPECT_EQ(client_->Status().spool_bytes, 0u);
}

TEST_F(NodeClientTest, HungPeerIsSpooledWithinTheAckTimeout) {
  options_.ack_timeout = milliseconds(200);
  Start();
  Send(10);
  ASSERT_TRUE(WaitAcked(10));
  peer_.Hang();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) Send();
  ASSERT_TRUE(WaitAcked(60));
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, milliseconds(2000));
  // More goes to the spool without waiting.
  Send();
  ASSERT_TRUE(WaitAcked(61));
  peer_.Revive();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), 61u);
}

TEST_F(NodeClientTest, NewPointsQueueBehindTheSpoolWhileItIsReplayed) {
  options_.stall_timeout = milliseconds(60'000);
  peer_.Kill();
  Start();
  for (int i = 0; i < 100; ++i) Send();
  ASSERT_TRUE(WaitAcked(100));
  peer_.HoldAcks(true);
  peer_.Revive();
  ASSERT_TRUE(peer_.WaitForPoints(1));
  EXPECT_EQ(client_->State(), ReplicaState::kCatchingUp);
  for (int i = 0; i < 100; ++i) Send();
  peer_.HoldAcks(false);
  ASSERT_TRUE(WaitAcked(200));
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  const std::vector<PeerPoint> points = peer_.Points();
  ASSERT_EQ(points.size(), 200u);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(points[i].value, i);
}

TEST_F(NodeClientTest, SpoolSurvivesARestartAndIsReplayedInOrder) {
  peer_.Kill();
  Start();
  for (int i = 0; i < 100; ++i) Send(3, i % 4);
  ASSERT_TRUE(WaitAcked(300));
  Stop();
  // kill -9 and power loss at once: what was reported as durable is there.
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  Start();
  EXPECT_EQ(client_->State(), ReplicaState::kDown);
  // New points line up behind the old ones.
  for (int i = 0; i < 50; ++i) Send();
  peer_.Revive();
  ASSERT_TRUE(WaitAcked(350));
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), 350u);
  // Consumed for good: nothing comes again.
  const size_t before = peer_.point_count();
  Stop();
  Start();
  Send();
  ASSERT_TRUE(WaitAcked(351));
  EXPECT_EQ(peer_.point_count(), before + 1);
}

TEST_F(NodeClientTest, StopSpoolsWhatIsNotAcknowledged) {
  Start();
  Send(1);
  ASSERT_TRUE(WaitAcked(1));
  peer_.HoldAcks(true);
  options_.ack_timeout = milliseconds(60'000);
  for (int i = 0; i < 10; ++i) Send();
  Stop();
  EXPECT_EQ(acked_, 11u);
  peer_.HoldAcks(false);
  Start();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(DistinctValues(), 11u);
  EXPECT_EQ(PeerSlots(), newest_);
}

TEST_F(NodeClientTest, FailedSyncOfTheSpoolIsNeverTakenForDurable) {
  peer_.Kill();
  Start();
  fs_.FailEvery(FaultFileSystem::Fault::kSync, 1, absl::UnavailableError("EIO"), "/log/");
  for (int i = 0; i < 20; ++i) Send();
  ASSERT_TRUE(WaitUntil([&] { return Metric("shoal_router_spool_errors_total") >= 2; }));
  EXPECT_EQ(acked_, 0u);
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  ASSERT_TRUE(WaitAcked(20));
  Stop();
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 2);
  peer_.Revive();
  Start();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), 20u);
}

TEST_F(NodeClientTest, EverySecondFailedSyncCostsNothingButTime) {
  peer_.Kill();
  Start();
  fs_.FailEvery(FaultFileSystem::Fault::kSync, 2, absl::UnavailableError("EIO"), "/log/");
  for (int i = 0; i < 20; ++i) {
    Send();
    ASSERT_TRUE(WaitAcked(i + 1));
  }
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  Stop();
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 3);
  peer_.Revive();
  Start();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), 20u);
}

TEST_F(NodeClientTest, FullSpoolBlocksByDefault) {
  spool_.bytes_max = 16 << 10;
  peer_.Kill();
  Start();
  for (int i = 0; i < 100; ++i) Send(50);
  ASSERT_TRUE(WaitUntil([&] { return acked_ > 0 && client_->Status().pending_batches < 100; }));
  EXPECT_LE(client_->Status().spool_bytes, 16u << 10);
  EXPECT_LT(acked_, 5000u);
  peer_.Revive();
  ASSERT_TRUE(WaitAcked(5000));
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), 5000u);
  EXPECT_EQ(dropped_, 0u);
}

TEST_F(NodeClientTest, FullSpoolDropsTheOldestWhenToldSoAndCountsThem) {
  spool_.bytes_max = 16 << 10;
  options_.drop_oldest = true;
  peer_.Kill();
  Start();
  for (int i = 0; i < 100; ++i) Send(50);
  ASSERT_TRUE(WaitAcked(5000));
  EXPECT_LE(client_->Status().spool_bytes, 16u << 10);
  const double given_up = Metric("shoal_router_spool_dropped_points_total");
  EXPECT_GT(given_up, 0);
  peer_.Revive();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(static_cast<double>(DistinctValues()) + given_up, 5000);
  // The newest are there.
  EXPECT_EQ(PeerSlots(), newest_);
}

TEST_F(NodeClientTest, ABatchThatTheNodeWillNotReadIsGivenUpAndTheRestGoesOn) {
  peer_.complain = [](const PeerPoint& point) { return point.value == 3; };
  Start();
  for (int i = 0; i < 6; ++i) Send();
  ASSERT_TRUE(WaitUntil([&] { return acked_ + dropped_ == 6; }));
  EXPECT_EQ(dropped_, 1u);
  EXPECT_EQ(DistinctValues(), 5u);
}

TEST_F(NodeClientTest, FullDictionaryBeginsANewStream) {
  options_.dictionary_names_max = 5;
  Start();
  for (int i = 0; i < 60; ++i) {
    Send(1, i % 10);
    ASSERT_TRUE(WaitAcked(i + 1));
  }
  EXPECT_GT(peer_.connects(), 2u);
  EXPECT_EQ(DistinctValues(), 60u);
}

TEST_F(NodeClientTest, ChunksWithTwoSpooledCopiesWaitForANode) {
  // R = 2, W = 2 with both owners behind this one client: the second copy of every point is spooled
  // as well.
  peer_.Kill();
  Start();
  std::atomic<int> completed{0};
  auto chunk =
      std::make_shared<Chunk>(1, 2, 2, 2, MemoryCharge(), [&](const ChunkResult&) { ++completed; });
  for (int copy = 0; copy < 2; ++copy) {
    auto batch = std::make_shared<NodeBatch>();
    batch->names = book_;
    batch->refs = {0};
    batch->timestamps_sec = {1};
    batch->values = {1};
    batch->indexes = {0};
    batch->created = std::chrono::steady_clock::now();
    batch->chunk = chunk;
    client_->Enqueue(std::move(batch));
  }
  ASSERT_TRUE(WaitUntil([&] { return Metric("shoal_router_spool_points_total") == 2; }));
  EXPECT_EQ(completed, 0);
  peer_.Revive();
  ASSERT_TRUE(WaitUntil([&] { return completed == 1; }));
}

TEST_F(NodeClientTest, AStormOfBreaksAndHangsLosesNothing) {
  options_.ack_timeout = milliseconds(30);
  options_.stall_timeout = milliseconds(60);
  options_.window_batches_max = 16;
  Start();
  for (int round = 0; round < 40; ++round) {
    switch (round % 5) {
      case 0:
        peer_.BreakStreams();
        break;
      case 1:
        peer_.Kill();
        break;
      case 2:
        peer_.Revive();
        break;
      case 3:
        peer_.Hang();
        break;
      case 4:
        peer_.Revive();
        break;
    }
    for (int i = 0; i < 50; ++i) Send(2, (round + i) % 10);
    ASSERT_TRUE(WaitAcked(static_cast<uint64_t>(next_value_)));
  }
  peer_.Revive();
  ASSERT_TRUE(WaitWhole());
  EXPECT_EQ(PeerSlots(), newest_);
  EXPECT_EQ(DistinctValues(), static_cast<size_t>(next_value_));
}

}  // namespace
}  // namespace shoal
