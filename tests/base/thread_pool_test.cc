#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <string>

namespace shoal {
namespace {

std::string CurrentThreadName() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

TEST(ThreadPoolTest, RunsEverythingBeforeShutdownReturns) {
  std::atomic<int> runs{0};
  ThreadPool pool("worker", 3, 10);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(pool.Submit([&runs] { ++runs; }));
  pool.Shutdown();
  EXPECT_EQ(runs.load(), 500);
  EXPECT_FALSE(pool.Submit([&runs] { ++runs; }));
  EXPECT_FALSE(pool.TrySubmit([&runs] { ++runs; }));
  pool.Shutdown();
  EXPECT_EQ(runs.load(), 500);
}

TEST(ThreadPoolTest, TheDestructorRunsWhatWasAccepted) {
  std::atomic<int> runs{0};
  {
    ThreadPool pool("worker", 1, 100);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Submit([&runs] { ++runs; }));
  }
  EXPECT_EQ(runs.load(), 100);
}

TEST(ThreadPoolTest, AFullQueueRefusesTrySubmit) {
  std::promise<void> started;
  std::promise<void> release;
  ThreadPool pool("worker", 1, 1);
  ASSERT_TRUE(pool.Submit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(pool.TrySubmit([] {}));
  EXPECT_FALSE(pool.TrySubmit([] {}));
  release.set_value();
}

TEST(ThreadPoolTest, ThreadsAreNamedAndLongNamesAreCut) {
  std::promise<std::string> name;
  ThreadPool pool("flush", 1, 1);
  ASSERT_TRUE(pool.Submit([&name] { name.set_value(CurrentThreadName()); }));
  EXPECT_EQ(name.get_future().get(), "flush-0");
  std::thread([] {
    SetThreadName("a-name-of-more-than-fifteen-bytes");
    EXPECT_EQ(CurrentThreadName(), "a-name-of-more-");
  }).join();
}

TEST(ThreadPoolTest, ShutdownFromTwoThreadsIsSafe) {
  std::atomic<int> runs{0};
  ThreadPool pool("worker", 2, 100);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(pool.Submit([&runs] { ++runs; }));
  std::thread other([&] {
    pool.Shutdown();
    EXPECT_EQ(runs.load(), 50);
  });
  pool.Shutdown();
  EXPECT_EQ(runs.load(), 50);
  other.join();
}

}  // namespace
}  // namespace shoal
