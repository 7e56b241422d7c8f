#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace shoal {
namespace {

TEST(BoundedQueueTest, HandsOutInOrder) {
  BoundedQueue<int> queue(10, 100);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.Push(int{i}, 1));
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_EQ(queue.bytes(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.Pop(), i);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST(BoundedQueueTest, RefusesPastEitherBoundAndLeavesTheItem) {
  BoundedQueue<std::unique_ptr<int>> by_items(2, 100);
  EXPECT_TRUE(by_items.TryPush(std::make_unique<int>(1), 1));
  EXPECT_TRUE(by_items.TryPush(std::make_unique<int>(2), 1));
  auto item = std::make_unique<int>(3);
  EXPECT_FALSE(by_items.TryPush(std::move(item), 1));
  EXPECT_NE(item, nullptr);

  BoundedQueue<int> by_bytes(10, 100);
  EXPECT_TRUE(by_bytes.TryPush(1, 60));
  EXPECT_FALSE(by_bytes.TryPush(2, 41));
  EXPECT_TRUE(by_bytes.TryPush(3, 40));
}

TEST(BoundedQueueTest, AnItemLargerThanTheBoundPassesAlone) {
  BoundedQueue<int> queue(10, 100);
  EXPECT_TRUE(queue.TryPush(1, 1000));
  EXPECT_FALSE(queue.TryPush(2, 1));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_TRUE(queue.TryPush(2, 1));
}

TEST(BoundedQueueTest, CloseRefusesNewItemsAndHandsOutOldOnes) {
  BoundedQueue<int> queue(10, 100);
  EXPECT_TRUE(queue.Push(1, 1));
  queue.Close();
  EXPECT_FALSE(queue.Push(2, 1));
  EXPECT_FALSE(queue.TryPush(2, 1));
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(BoundedQueueTest, PopForGivesUp) {
  BoundedQueue<int> queue(10, 100);
  EXPECT_EQ(queue.PopFor(std::chrono::milliseconds(1)), std::nullopt);
}

TEST(BoundedQueueTest, CloseWakesABlockedPushAndABlockedPop) {
  BoundedQueue<int> full(1, 100);
  ASSERT_TRUE(full.Push(1, 1));
  std::thread pusher([&full] { EXPECT_FALSE(full.Push(2, 1)); });
  BoundedQueue<int> empty(1, 100);
  std::thread popper([&empty] { EXPECT_EQ(empty.Pop(), std::nullopt); });
  full.Close();
  empty.Close();
  pusher.join();
  popper.join();
}

TEST(BoundedQueueTest, EveryItemArrivesOnceBetweenManyThreads) {
  constexpr int kItems = 2000;
  BoundedQueue<int> queue(4, 100);
  std::vector<std::atomic<int>> seen(3 * kItems);
  std::vector<std::thread> threads;
  std::vector<std::thread> poppers;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&queue, t] {
      for (int i = 0; i < kItems; ++i) ASSERT_TRUE(queue.Push(t * kItems + i, 1));
    });
    poppers.emplace_back([&] {
      while (auto item = queue.Pop()) ++seen[static_cast<size_t>(*item)];
    });
  }
  for (auto& thread : threads) thread.join();
  queue.Close();
  for (auto& popper : poppers) popper.join();
  for (const auto& count : seen) EXPECT_EQ(count.load(), 1);
}

}  // namespace
}  // namespace shoal
