#include "base/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace shoal {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// What `log` writes to standard error.
template <typename F>
std::string Captured(F log) {
  ::testing::internal::CaptureStderr();
  log();
  return ::testing::internal::GetCapturedStderr();
}

TEST(LoggingTest, LinesHaveTimeLevelAndComponent) {
  const std::string line = Captured([] { LogWarning("ingest", "bad line ", 7); });
  EXPECT_THAT(line,
              MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z warning ingest: "
                           "bad line 7\n"));
}

TEST(LoggingTest, ControlCharactersCannotForgeLines) {
  const std::string line = Captured([] {
    LogInfo("x", absl::string_view("a\nb\rc\td\x1b[0m\x7f\0e", 13), "\xc2\x9b", "\xc3\xa9");
  });
  EXPECT_THAT(line, EndsWith("x: a\\nb\\rc\\td\\x1b[0m\\x7f\\x00\\xc2\\x9b\xc3\xa9\n"));
}

TEST(LoggingTest, BracesAreNotFormats) {
  EXPECT_THAT(Captured([] { LogInfo("x", "{} {0} %s"); }), EndsWith("x: {} {0} %s\n"));
}

TEST(LoggingTest, LongTextIsCut) {
  const std::string line = Captured([] { LogInfo("x", std::string(100000, 'y')); });
  EXPECT_LT(line.size(), 9000u);
  EXPECT_THAT(line, HasSubstr("more bytes)"));
}

TEST(LoggingTest, LevelsBelowTheSetOneAreSilent) {
  ASSERT_TRUE(SetLogLevel("error").ok());
  EXPECT_EQ(Captured([] { LogWarning("x", "no"); }), "");
  EXPECT_THAT(Captured([] { LogError("x", "yes"); }), HasSubstr(" error x: yes"));
  ASSERT_TRUE(SetLogLevel("debug").ok());
  EXPECT_THAT(Captured([] { LogDebug("x", "yes"); }), HasSubstr(" debug x: yes"));
  ASSERT_TRUE(SetLogLevel("info").ok());
  EXPECT_EQ(Captured([] { LogDebug("x", "no"); }), "");
}

TEST(LoggingTest, UnknownLevelsAreRefused) {
  const absl::Status status = SetLogLevel("loud");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"loud\""));
}

TEST(LogEveryTest, PassesOncePerIntervalAndCountsTheRest) {
  LogEvery every(std::chrono::hours(1));
  uint64_t held_back = 99;
  EXPECT_TRUE(every.Pass(&held_back));
  EXPECT_EQ(held_back, 0u);
  EXPECT_FALSE(every.Pass(&held_back));
  EXPECT_FALSE(every.Pass(&held_back));

  LogEvery always(std::chrono::steady_clock::duration::zero());
  EXPECT_TRUE(always.Pass(&held_back));
  EXPECT_TRUE(always.Pass(&held_back));
}

TEST(LogEveryTest, OneOfManyThreadsPasses) {
  LogEvery every(std::chrono::hours(1));
  std::atomic<int> passed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      uint64_t held_back;
      for (int i = 0; i < 100; ++i) passed += every.Pass(&held_back) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(passed.load(), 1);
}

}  // namespace
}  // namespace shoal
