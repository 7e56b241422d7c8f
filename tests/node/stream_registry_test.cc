#include "node/stream_registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace shoal {
namespace {

using Ticket = std::unique_ptr<StreamRegistry::Ticket>;

// A stream as the registry sees it.
struct FakeStream {
  std::atomic<bool> cancelled{false};
  std::atomic<bool> drained{false};
  std::atomic<bool> peer_gone{false};
  StreamRegistry::Hooks hooks() {
    return {.cancel = [this] { cancelled = true; },
            .drain = [this] { drained = true; },
            .is_cancelled = [this] { return peer_gone.load(); }};
  }
};

void AwaitTrue(const std::atomic<bool>& flag) {
  while (!flag.load()) std::this_thread::yield();
}

class StreamRegistryTest : public ::testing::Test {
 protected:
  ManualClock clock_{1'700'000'000};
  StreamRegistry registry_{4, &clock_};
  FakeStream a_, b_, c_;
};

TEST_F(StreamRegistryTest, ANewerStreamCancelsTheOlderOneAndWaitsUntilItHasLeft) {
  absl::StatusOr<Ticket> older = registry_.Enter("router", 1, a_.hooks());
  ASSERT_TRUE(older.ok());
  std::atomic<bool> entered{false};
  std::thread newer([&] {
    absl::StatusOr<Ticket> ticket = registry_.Enter("router", 2, b_.hooks());
    EXPECT_TRUE(ticket.ok()) << ticket.status();
    entered = true;
  });
  AwaitTrue(a_.cancelled);
  EXPECT_FALSE(entered.load());
  older->reset();
  newer.join();
  EXPECT_TRUE(entered.load());
}

TEST_F(StreamRegistryTest, AnOlderOrEqualIncarnationIsRefusedAlsoAfterTheNewestHasLeft) {
  {
    absl::StatusOr<Ticket> ticket = registry_.Enter("router", 5, a_.hooks());
    ASSERT_TRUE(ticket.ok());
  }
  for (const uint64_t incarnation : {4, 5}) {
    EXPECT_EQ(registry_.Enter("router", incarnation, b_.hooks()).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(registry_.Enter("router", 6, b_.hooks()).ok());
}

TEST_F(StreamRegistryTest, ARouterIsForgottenAfterAWhile) {
  { ASSERT_TRUE(registry_.Enter("router", 5, a_.hooks()).ok()); }
  clock_.Advance(StreamRegistry::kRememberSec + 1);
  EXPECT_TRUE(registry_.Enter("router", 1, b_.hooks()).ok());
}

TEST_F(StreamRegistryTest, RoutersDoNotDisturbEachOther) {
  absl::StatusOr<Ticket> one = registry_.Enter("one", 5, a_.hooks());
  absl::StatusOr<Ticket> two = registry_.Enter("two", 1, b_.hooks());
  EXPECT_TRUE(one.ok());
  EXPECT_TRUE(two.ok());
  EXPECT_FALSE(a_.cancelled.load());
  EXPECT_EQ(registry_.active(), 2u);
}

TEST_F(StreamRegistryTest, AStreamThatWaitsGivesWayToAnEvenNewerOne) {
  absl::StatusOr<Ticket> first = registry_.Enter("router", 1, a_.hooks());
  ASSERT_TRUE(first.ok());
  absl::Status second;
  std::thread waiting([&] { second = registry_.Enter("router", 2, b_.hooks()).status(); });
  AwaitTrue(a_.cancelled);
  absl::Status third;
  std::thread newest([&] { third = registry_.Enter("router", 3, c_.hooks()).status(); });
  waiting.join();  // without the first one leaving
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  first->reset();
  newest.join();
  EXPECT_TRUE(third.ok()) << third;
}

TEST_F(StreamRegistryTest, AStreamWhosePeerIsGoneStopsWaiting) {
  absl::StatusOr<Ticket> first = registry_.Enter("router", 1, a_.hooks());
  ASSERT_TRUE(first.ok());
  b_.peer_gone = true;
  EXPECT_EQ(registry_.Enter("router", 2, b_.hooks()).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamRegistryTest, ShutdownDrainsAndRefuses) {
  absl::StatusOr<Ticket> ticket = registry_.Enter("router", 1, a_.hooks());
  ASSERT_TRUE(ticket.ok());
  registry_.Shutdown();
  EXPECT_TRUE(a_.drained.load());
  EXPECT_FALSE(a_.cancelled.load());
  EXPECT_EQ(registry_.Enter("other", 1, b_.hooks()).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(StreamRegistryTest, TheNumberOfStreamsIsBounded) {
  std::vector<Ticket> tickets;
  for (const char* router : {"1", "2", "3", "4"}) {
    absl::StatusOr<Ticket> ticket = registry_.Enter(router, 1, a_.hooks());
    ASSERT_TRUE(ticket.ok());
    tickets.push_back(*std::move(ticket));
  }
  EXPECT_EQ(registry_.Enter("5", 1, b_.hooks()).status().code(),
            absl::StatusCode::kResourceExhausted);
  tickets.pop_back();
  EXPECT_TRUE(registry_.Enter("5", 1, b_.hooks()).ok());
}

}  // namespace
}  // namespace shoal
