#include "router/rules/aggregator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "router/rules/aggregator_state.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Taken = Aggregator::Taken;

constexpr int64_t kStart = 1'700'000'040;  // a multiple of 60

Aggregation Rule(AggregateMethod method, double percentile = 0, bool interpolate = false) {
  Aggregation rule;
  rule.origin = "rules.conf:7";
  rule.interval_sec = 60;
  rule.expire_sec = 300;
  rule.computes = {{method, percentile, interpolate}};
  return rule;
}

std::vector<std::string> Flush(Aggregator* aggregator, int64_t now_sec) {
  std::vector<std::string> emitted;
  aggregator->Flush(now_sec, [&](const Aggregator::Emitted& point) {
    emitted.push_back(
        absl::StrFormat("%s %.10g +%d", point.name, point.value, point.timestamp_sec - kStart));
  });
  return emitted;
}

void Add(Aggregator* aggregator, Aggregator::Handle output, int64_t at_sec, double value) {
  EXPECT_EQ(aggregator->Add(output, at_sec, static_cast<uint32_t>(at_sec), value), Taken::kYes);
}

double One(const Aggregation& rule, const std::vector<double>& values) {
  Aggregator aggregator({});
  const auto output = aggregator.Open("out", rule, 0);
  for (const double value : values) Add(&aggregator, *output, kStart, value);
  double result = std::numeric_limits<double>::quiet_NaN();
  aggregator.Flush(kStart + 60, [&](const Aggregator::Emitted& point) { result = point.value; });
  return result;
}

TEST(AggregatorTest, ComputesEveryMethod) {
  const std::vector<double> values = {4, 1, 3, 2, 10};
  const auto of = [&](AggregateMethod method, double percentile = 0, bool interpolate = false) {
    return One(Rule(method, percentile, interpolate), values);
  };
  EXPECT_EQ(of(AggregateMethod::kSum), 20);
  EXPECT_EQ(of(AggregateMethod::kCount), 5);
  EXPECT_EQ(of(AggregateMethod::kMax), 10);
  EXPECT_EQ(of(AggregateMethod::kMin), 1);
  EXPECT_EQ(of(AggregateMethod::kAverage), 4);
  EXPECT_EQ(of(AggregateMethod::kMedian), 3);
  EXPECT_EQ(of(AggregateMethod::kVariance), 10);
  EXPECT_DOUBLE_EQ(of(AggregateMethod::kStddev), std::sqrt(10.0));
  // carbon-c-relay: one of the values.
  EXPECT_EQ(of(AggregateMethod::kPercentile, 99), 10);
  EXPECT_EQ(of(AggregateMethod::kPercentile, 80), 4);
  EXPECT_EQ(of(AggregateMethod::kPercentile, 1), 1);
  // carbon: between two of them.
  EXPECT_DOUBLE_EQ(of(AggregateMethod::kPercentile, 90, true), 7.6);
  EXPECT_EQ(of(AggregateMethod::kPercentile, 50, true), 3);
  EXPECT_EQ(One(Rule(AggregateMethod::kPercentile, 1), {5}), 5);
  EXPECT_EQ(One(Rule(AggregateMethod::kPercentile, 99.9, true), {5}), 5);
  EXPECT_EQ(One(Rule(AggregateMethod::kMin), {-3, -5}), -5);
  EXPECT_EQ(One(Rule(AggregateMethod::kMax), {-3, -5}), -3);
}

TEST(AggregatorTest, BucketsAreEmittedWhenTheirIntervalHasEnded) {
  Aggregator aggregator({});
  const auto output = aggregator.Open("out", Rule(AggregateMethod::kSum), 0);
  Add(&aggregator, *output, kStart, 1);
  Add(&aggregator, *output, kStart + 59, 2);
  Add(&aggregator, *output, kStart + 60, 4);
  EXPECT_THAT(Flush(&aggregator, kStart + 59), IsEmpty());
  EXPECT_THAT(Flush(&aggregator, kStart + 60), ElementsAre("out 3 +0"));
  EXPECT_THAT(Flush(&aggregator, kStart + 119), IsEmpty());
  EXPECT_THAT(Flush(&aggregator, kStart + 120), ElementsAre("out 4 +60"));
}

TEST(AggregatorTest, LatePointsAreEmittedAgainWithAllOfTheirBucket) {
  Aggregator aggregator({});
  const auto output = aggregator.Open("out", Rule(AggregateMethod::kMedian), 0);
  Add(&aggregator, *output, kStart, 1);
  EXPECT_THAT(Flush(&aggregator, kStart + 60), ElementsAre("out 1 +0"));
  const auto late = [&](int64_t now_sec, double value) {
    return aggregator.Add(*output, now_sec, static_cast<uint32_t>(kStart + 5), value);
  };
  EXPECT_EQ(late(kStart + 200, 7), Taken::kYes);
  EXPECT_EQ(late(kStart + 299, 3), Taken::kYes);
  EXPECT_THAT(Flush(&aggregator, kStart + 299), ElementsAre("out 3 +0"));
  EXPECT_EQ(late(kStart + 300, 9), Taken::kTooOld);
  EXPECT_THAT(Flush(&aggregator, kStart + 300), IsEmpty());
  // Forgotten, also by a clock that goes back.
  EXPECT_EQ(late(kStart + 299, 9), Taken::kYes);
  EXPECT_THAT(Flush(&aggregator, kStart + 299), ElementsAre("out 9 +0"));
}

TEST(AggregatorTest, PointsOfAFarFutureAreRefused) {
  Aggregator aggregator({});
  const auto output = aggregator.Open("out", Rule(AggregateMethod::kSum), 0);
  EXPECT_EQ(aggregator.Add(*output, kStart, static_cast<uint32_t>(kStart + 359), 1), Taken::kYes);
  EXPECT_EQ(aggregator.Add(*output, kStart, static_cast<uint32_t>(kStart + 360), 1),
            Taken::kTooNew);
}

TEST(AggregatorTest, TheStampIsTheRules) {
  for (const auto& [stamp, offset] :
       {std::pair{BucketStamp::kStart, 0}, std::pair{BucketStamp::kMiddle, 30},
        std::pair{BucketStamp::kEnd, 60}}) {
    Aggregator aggregator({});
    Aggregation rule = Rule(AggregateMethod::kSum);
    rule.stamp = stamp;
    Add(&aggregator, *aggregator.Open("out", rule, 0), kStart + 10, 1);
    EXPECT_THAT(Flush(&aggregator, kStart + 60), ElementsAre(absl::StrCat("out 1 +", offset)));
  }
}

TEST(AggregatorTest, TheFirstRuleFixesTheOutput) {
  Aggregator aggregator({});
  const auto first = aggregator.Open("out", Rule(AggregateMethod::kSum), 0);
  const auto second = aggregator.Open("out", Rule(AggregateMethod::kMax), 0);
  EXPECT_EQ(aggregator.outputs(), 1u);
  Add(&aggregator, *first, kStart, 1);
  Add(&aggregator, *second, kStart, 2);
  EXPECT_THAT(Flush(&aggregator, kStart + 60), ElementsAre("out 3 +0"));
}

TEST(AggregatorTest, IdleOutputsAreForgottenAndOpenedAgain) {
  Aggregator aggregator({});
  const auto output = aggregator.Open("out", Rule(AggregateMethod::kSum), 0);
  Add(&aggregator, *output, kStart, 1);
  Flush(&aggregator, kStart + 300);
  EXPECT_EQ(aggregator.outputs(), 1u);
  Flush(&aggregator, kStart + 599);
  EXPECT_EQ(aggregator.outputs(), 1u);
  Flush(&aggregator, kStart + 600);
  EXPECT_EQ(aggregator.outputs(), 0u);
  EXPECT_EQ(aggregator.bytes(), 0u);
  EXPECT_EQ(aggregator.Add(*output, kStart, static_cast<uint32_t>(kStart), 1), Taken::kForgotten);
  // Its slot is used again, which the old handle does not reach.
  const auto other = aggregator.Open("other", Rule(AggregateMethod::kSum), 0);
  EXPECT_EQ(aggregator.Add(*output, kStart, static_cast<uint32_t>(kStart), 1), Taken::kForgotten);
  Add(&aggregator, *other, kStart + 600, 5);
  EXPECT_THAT(Flush(&aggregator, kStart + 660), ElementsAre("other 5 +600"));
}

TEST(AggregatorTest, MemoryIsBounded) {
  Aggregator aggregator({.outputs_max = 3, .bytes_max = 4096});
  const auto output = aggregator.Open("out", Rule(AggregateMethod::kMedian), 0);
  ASSERT_TRUE(output.has_value());
  int taken = 0;
  while (taken < 10'000 &&
         aggregator.Add(*output, kStart, static_cast<uint32_t>(kStart), taken) == Taken::kYes) {
    ++taken;
  }
  EXPECT_GT(taken, 100);
  EXPECT_LT(taken, 500);
  EXPECT_LE(aggregator.bytes(), 4096u);
  EXPECT_EQ(aggregator.Add(*output, kStart, static_cast<uint32_t>(kStart), 1), Taken::kNoRoom);
  // What is expired makes room.
  EXPECT_EQ(Flush(&aggregator, kStart + 300).size(), 1u);
  Add(&aggregator, *output, kStart + 300, 1);
  EXPECT_TRUE(aggregator.Open("b", Rule(AggregateMethod::kSum), 0).has_value());
  EXPECT_TRUE(aggregator.Open("c", Rule(AggregateMethod::kSum), 0).has_value());
  EXPECT_FALSE(aggregator.Open("d", Rule(AggregateMethod::kSum), 0).has_value());
  EXPECT_FALSE(Aggregator({.bytes_max = 100}).Open("x", Rule(AggregateMethod::kSum), 0));
}

// Three outputs: one with values, one that is emitted, one that is not due.
void Fill(Aggregator* aggregator) {
  const auto median = aggregator->Open("a.median", Rule(AggregateMethod::kMedian), 0);
  const auto sum = aggregator->Open("b.sum", Rule(AggregateMethod::kSum), 0);
  Aggregation rule = Rule(AggregateMethod::kPercentile, 99.9, true);
  rule.stamp = BucketStamp::kEnd;
  const auto percentile = aggregator->Open("c;k=v", rule, 0);
  Add(aggregator, *sum, kStart, 5);
  Flush(aggregator, kStart + 60);
  for (const double value : {3, 1, 2}) Add(aggregator, *median, kStart + 60, value);
  Add(aggregator, *percentile, kStart + 120, 8);
}

TEST(AggregatorTest, StateSurvivesARestart) {
  Aggregator before({});
  Fill(&before);
  const std::string saved = before.Save();
  Aggregator after({});
  ASSERT_TRUE(after.Restore(saved, kStart + 100).ok());
  EXPECT_EQ(after.outputs(), 3u);
  // What was emitted is not emitted again, until a late point changes it.
  EXPECT_THAT(Flush(&after, kStart + 120), ElementsAre("a.median 2 +60"));
  Add(&after, *after.Open("b.sum", Rule(AggregateMethod::kSum), 0), kStart, 1);
  Add(&after, *after.Open("a.median", Rule(AggregateMethod::kMedian), 0), kStart + 61, 9);
  EXPECT_THAT(Flush(&after, kStart + 180),
              ElementsAre("a.median 2 +60", "b.sum 6 +0", "c;k=v 8 +180"));
  EXPECT_FALSE(after.Restore(saved, kStart).ok());
}

TEST(AggregatorTest, WhatWasNotEmittedInTimeIsAfterARestart) {
  Aggregator before({});
  Fill(&before);
  Aggregator after({});
  ASSERT_TRUE(after.Restore(before.Save(), kStart + 100'000).ok());
  EXPECT_THAT(Flush(&after, kStart + 100'000), ElementsAre("a.median 2 +60", "c;k=v 8 +180"));
  Flush(&after, kStart + 200'000);
  EXPECT_EQ(after.bytes(), 0u);
}

// Frozen: docs/format/aggregator.md.
TEST(AggregatorTest, GoldenBytes) {
  Aggregator aggregator({});
  Aggregation rule = Rule(AggregateMethod::kMedian);
  rule.stamp = BucketStamp::kEnd;
  Add(&aggregator, *aggregator.Open("a.b", rule, 0), kStart, 1.5);
  std::string expected = absl::HexStringToBytes(
      "53484147"
      "01000000"
      "01"
      "03612e62"
      "0c72756c65732e636f6e663a37"
      "05"
      "0000000000000000"
      "00"
      "02"
      "3c"
      "ac02"
      "01"
      "a8e2cfaa06"
      "01"
      "01"
      "000000000000f83f"
      "000000000000f83f"
      "000000000000f83f"
      "01"
      "000000000000f83f");
  AppendLE(&expected, Hash64(expected));
  EXPECT_EQ(absl::BytesToHexString(aggregator.Save()), absl::BytesToHexString(expected));
}

TEST(AggregatorTest, DamagedStateIsRefusedAndNothingOfItKept) {
  Aggregator before({});
  Fill(&before);
  const std::string saved = before.Save();
  const auto refused = [](const std::string& bytes, absl::StatusCode code) {
    Aggregator after({});
    EXPECT_EQ(after.Restore(bytes, kStart).code(), code);
    EXPECT_EQ(after.outputs(), 0u);
    EXPECT_EQ(after.bytes(), 0u);
  };
  for (size_t size = 0; size < saved.size(); ++size) {
    refused(saved.substr(0, size), absl::StatusCode::kDataLoss);
  }
  for (size_t i = 0; i < saved.size(); ++i) {
    std::string flipped = saved;
    flipped[i] ^= 1;
    refused(flipped,
            i >= 4 && i < 8 ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kDataLoss);
  }
  // With a checksum that is right: nothing is believed that cannot be.
  const std::string body = saved.substr(0, saved.size() - 8);
  for (size_t size = 8; size < body.size(); ++size) {
    std::string cut = body.substr(0, size);
    AppendLE(&cut, Hash64(cut));
    refused(cut, absl::StatusCode::kDataLoss);
  }
  for (size_t i = 8; i < body.size(); ++i) {
    for (const char byte : {'\0', '\x7f', '\xff'}) {
      std::string wrong = body;
      wrong[i] = byte;
      AppendLE(&wrong, Hash64(wrong));
      Aggregator after({.bytes_max = 1 << 20});
      const absl::Status status = after.Restore(wrong, kStart);
      if (!status.ok()) {
        EXPECT_EQ(after.bytes(), 0u);
      } else {
        Flush(&after, kStart + 1'000'000);
      }
    }
  }
  std::string nan = body;
  // The last value of the last output is the body's last field.
  nan.replace(nan.size() - 8, 8, std::string(8, '\xff'));
  AppendLE(&nan, Hash64(nan));
  refused(nan, absl::StatusCode::kDataLoss);
  Aggregator small({.bytes_max = 500});
  EXPECT_EQ(small.Restore(saved, kStart).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(small.bytes(), 0u);
}

TEST(AggregatorTest, TheFileIsReplacedAsAWhole) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDirs("/state").ok());
  Aggregator none({});
  EXPECT_TRUE(RestoreAggregator(&fs, "/state/aggregator", kStart, &none).ok());
  EXPECT_EQ(none.outputs(), 0u);
  Aggregator before({});
  Fill(&before);
  ASSERT_TRUE(SaveAggregator(&fs, "/state/aggregator", before).ok());
  fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  Aggregator after({});
  ASSERT_TRUE(RestoreAggregator(&fs, "/state/aggregator", kStart, &after).ok());
  EXPECT_EQ(after.outputs(), 3u);
}

}  // namespace
}  // namespace shoal
