#include "router/forward/chunk.h"

#include <memory>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

class ChunkTest : public testing::Test {
 protected:
  std::shared_ptr<Chunk> MakeChunk(uint32_t points, int batches, int replication,
                                   int write_copies) {
    all_.resize(points);
    std::iota(all_.begin(), all_.end(), 0u);
    return std::make_shared<Chunk>(points, batches, replication, write_copies,
                                   MemoryCharge(&budget_, 1000), [this](const ChunkResult& result) {
                                     ++completions_;
                                     result_ = result;
                                   });
  }
  uint32_t Rejected() const {
    return std::accumulate(result_.rejected.begin(), result_.rejected.end(), 0u);
  }

  MemoryBudget budget_{1 << 20};
  std::vector<uint32_t> all_;
  int completions_ = 0;
  ChunkResult result_;
};

TEST(EnoughCopiesTest, CountsTheWorstPlacedPoint) {
  // R = 2, W = 2: nothing may be missing, and the spool stands for one replica only.
  EXPECT_TRUE(EnoughCopies(2, 2, 0, 0));
  EXPECT_TRUE(EnoughCopies(2, 2, 0, 1));
  EXPECT_FALSE(EnoughCopies(2, 2, 0, 2));
  EXPECT_FALSE(EnoughCopies(2, 2, 1, 0));
  // R = 2, W = 1.
  EXPECT_TRUE(EnoughCopies(2, 1, 1, 0));
  EXPECT_TRUE(EnoughCopies(2, 1, 0, 5));
  EXPECT_FALSE(EnoughCopies(2, 1, 2, 0));
  // R = 3, W = 2: a point may lack one copy, or have two in the spool.
  EXPECT_TRUE(EnoughCopies(3, 2, 1, 0));
  EXPECT_TRUE(EnoughCopies(3, 2, 1, 1));
  EXPECT_TRUE(EnoughCopies(3, 2, 0, 2));
  EXPECT_FALSE(EnoughCopies(3, 2, 0, 3));
  EXPECT_FALSE(EnoughCopies(3, 2, 1, 2));
  EXPECT_FALSE(EnoughCopies(3, 2, 2, 0));
  // R = 1: the spool is a place like any other.
  EXPECT_TRUE(EnoughCopies(1, 1, 0, 3));
  EXPECT_FALSE(EnoughCopies(1, 1, 1, 0));
}

TEST_F(ChunkTest, IsAckedWhenTheLastCopyThatIsNeededIsDurable) {
  auto chunk = MakeChunk(10, 3, 2, 2);
  EXPECT_EQ(budget_.used(), 1000);
  chunk->NodeAcked(all_, {});
  chunk->NodeAcked(all_, {});
  EXPECT_EQ(completions_, 0);
  chunk->NodeAcked(all_, {});
  EXPECT_EQ(completions_, 1);
  EXPECT_EQ(result_.acked, 10u);
  EXPECT_EQ(budget_.used(), 0);
}

TEST_F(ChunkTest, OneSpooledBatchCountsTwoDoNotUntilOneReachesItsNode) {
  auto chunk = MakeChunk(10, 3, 2, 2);
  chunk->Spooled();
  chunk->Spooled();
  chunk->NodeAcked(all_, {});
  EXPECT_EQ(completions_, 0);
  EXPECT_FALSE(chunk->complete());
  chunk->SpooledReachedNode();
  EXPECT_EQ(completions_, 1);
  EXPECT_EQ(result_.acked, 10u);
  chunk->SpooledReachedNode();
  EXPECT_EQ(completions_, 1);
}

TEST_F(ChunkTest, APointThatSeveralNodesRefuseIsRejectedOnce) {
  auto chunk = MakeChunk(4, 2, 2, 2);
  chunk->NodeAcked({0, 1, 2, 3}, {{1, NodeRefusal::kTooOld}, {2, NodeRefusal::kSeriesLimit}});
  // The other node has the points in another order: its index 0 is the chunk's 1.
  chunk->NodeAcked({1, 0, 3, 2}, {{0, NodeRefusal::kTooOld}, {2, NodeRefusal::kBadName}});
  EXPECT_EQ(completions_, 1);
  EXPECT_EQ(result_.acked, 1u);
  EXPECT_EQ(Rejected(), 3u);
  EXPECT_EQ(result_.rejected[static_cast<size_t>(NodeRefusal::kTooOld)], 1u);
  EXPECT_EQ(result_.rejected[static_cast<size_t>(NodeRefusal::kSeriesLimit)], 1u);
  EXPECT_EQ(result_.rejected[static_cast<size_t>(NodeRefusal::kBadName)], 1u);
}

TEST_F(ChunkTest, LostCopiesDropTheChunkOnlyWhenTheyWereNeeded) {
  auto needed = MakeChunk(10, 2, 2, 2);
  needed->Lost(false);
  EXPECT_EQ(completions_, 1);
  EXPECT_EQ(result_.dropped, 10u);
  EXPECT_EQ(result_.acked, 0u);
  needed->NodeAcked(all_, {});
  EXPECT_EQ(completions_, 1);

  auto spare = MakeChunk(10, 3, 3, 2);
  spare->Spooled();
  spare->Lost(true);
  spare->NodeAcked(all_, {});
  EXPECT_EQ(completions_, 1);
  spare->NodeAcked(all_, {});
  EXPECT_EQ(completions_, 2);
  EXPECT_EQ(result_.acked, 10u);
  EXPECT_EQ(result_.dropped, 0u);
}

TEST_F(ChunkTest, LateRefusalsDoNotChangeTheVerdict) {
  auto chunk = MakeChunk(2, 3, 3, 2);
  chunk->NodeAcked({0, 1}, {});
  chunk->NodeAcked({0, 1}, {});
  EXPECT_EQ(result_.acked, 2u);
  chunk->NodeAcked({0, 1}, {{0, NodeRefusal::kTooOld}});
  EXPECT_EQ(completions_, 1);
  EXPECT_EQ(result_.acked, 2u);
}

}  // namespace
}  // namespace shoal
