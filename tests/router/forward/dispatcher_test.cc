#include "router/forward/dispatcher.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "gtest/gtest.h"
#include "router/ingest/chunk_builder.h"
#include "tests/router/forward/fake_cluster.h"

namespace shoal {
namespace {

std::shared_ptr<NameBook> MakeBook(const FakeCluster& cluster, int names) {
  auto book = std::make_shared<NameBook>(static_cast<size_t>(names), 1 << 20);
  for (int i = 0; i < names; ++i) {
    const std::string name = absl::StrCat("s.", i);
    book->Add(name, name, PartitionOf(name, cluster.topology().partitions));
  }
  return book;
}

TEST(DispatcherTest, EveryPointGoesToItsOwnersOnly) {
  FakeCluster cluster(5, 3, 2);
  ChunkBuilder builder(cluster.dispatcher());
  const auto book = MakeBook(cluster, 500);
  for (uint32_t ref = 0; ref < 500; ++ref) builder.Add(book, ref, 1000 + ref, ref);
  EXPECT_EQ(builder.points(), 500u);
  std::atomic<uint64_t> acked{0};
  builder.Close([&](const ChunkResult& result) { acked = result.acked; });
  EXPECT_EQ(builder.points(), 0u);
  ASSERT_TRUE(WaitUntil([&] { return cluster.total_points() == 1500 && acked == 500; }));
  for (size_t node = 0; node < 5; ++node) {
    for (const PeerPoint& point : cluster.peer(static_cast<int>(node))->Points()) {
      const uint32_t partition = PartitionOf(point.name, cluster.topology().partitions);
      const auto owners = cluster.dispatcher()->partitions().Owners(partition);
      EXPECT_NE(std::find(owners.begin(), owners.end(), node), owners.end()) << point.name;
      EXPECT_EQ(absl::StrCat("s.", point.value), point.name);
      EXPECT_EQ(point.timestamp_sec, 1000 + point.value);
    }
  }
}

TEST(DispatcherTest, MemoryIsFreeAgainWhenEverythingIsDurable) {
  FakeCluster cluster;
  cluster.peer(0)->HoldAcks(true);
  ChunkBuilder builder(cluster.dispatcher());
  const auto book = MakeBook(cluster, 100);
  for (uint32_t ref = 0; ref < 100; ++ref) builder.Add(book, ref, 1, 1);
  std::atomic<bool> done{false};
  builder.Close([&](const ChunkResult&) { done = true; });
  EXPECT_GE(cluster.budget()->used(), 100 * 20);
  cluster.peer(0)->HoldAcks(false);
  ASSERT_TRUE(WaitUntil([&] { return done.load() && cluster.budget()->used() == 0; }));
}

TEST(DispatcherTest, StateOfNodes) {
  FakeCluster cluster;
  ASSERT_TRUE(
      WaitUntil([&] { return cluster.dispatcher()->StateOf("node-2") == ReplicaState::kWhole; }));
  cluster.peer(1)->Kill();
  ASSERT_TRUE(
      WaitUntil([&] { return cluster.dispatcher()->StateOf("node-2") == ReplicaState::kDown; }));
  EXPECT_EQ(cluster.dispatcher()->StateOf("unheard-of"), ReplicaState::kWhole);
}

}  // namespace
}  // namespace shoal
