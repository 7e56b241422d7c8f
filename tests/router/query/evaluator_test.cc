#include "router/query/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/router/query/memory_source.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class EvaluatorTest : public ::testing::Test {
 protected:
  EvaluatorTest() {
    std::vector<double> rising;
    for (int i = 0; i < 100; ++i) rising.push_back(i);
    source_.Add("a.x", 10, 10, rising);
    source_.Add("a.y", 10, 10, rising);
    source_.Add("b.x", 60, 60, std::vector<double>(20, 7));
  }

  absl::StatusOr<SeriesList> Evaluate(std::vector<std::string> targets, int64_t from = 500,
                                      int64_t until = 600) {
    EvalRequest request;
    request.targets = std::move(targets);
    request.range = {.from_sec = from, .until_sec = until, .now_sec = 1000};
    return EvaluateTargets(request, limits_, &source_);
  }

  std::vector<std::string> Specs() const {
    std::vector<std::string> specs;
    for (const FetchSpec& spec : source_.last_specs()) {
      specs.push_back(
          absl::StrCat(spec.pattern, " ", spec.range.from_sec, "-", spec.range.until_sec));
    }
    return specs;
  }

  MemorySource source_;
  EvalLimits limits_;
};

TEST_F(EvaluatorTest, AllTargetsAreFetchedInOneCallAndEachListOnce) {
  const auto result =
      Evaluate({"sumSeries(a.*)", "scale(a.x,2)", "a.*", " ", "movingAverage(b.x,'2min')"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(source_.fetches(), 1);
  EXPECT_THAT(Specs(), ElementsAre("a.* 500-600", "a.x 500-600", "b.x 380-600"));
  ASSERT_EQ(result->size(), 5u);
  EXPECT_EQ((*result)[0].name, "sumSeries(a.*)");
  EXPECT_EQ((*result)[2].name, "a.x");
  EXPECT_EQ((*result)[4].name, "movingAverage(b.x,\"2min\")");
}

TEST_F(EvaluatorTest, TheInnermostConsolidateByChoosesTheAggregate) {
  const auto result = Evaluate(
      {"consolidateBy(sumSeries(a.x, consolidateBy(a.y,'min')),'max')", "cumulative(b.x)", "a.x"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(source_.fetches(), 1);
  std::vector<std::string> specs;
  for (const FetchSpec& spec : source_.last_specs()) {
    specs.push_back(absl::StrCat(
        spec.pattern, " ", spec.range.aggregate ? AggregateName(*spec.range.aggregate) : "own"));
  }
  EXPECT_THAT(specs, UnorderedElementsAre("a.x max", "a.y min", "b.x sum", "a.x own"));
}

TEST_F(EvaluatorTest, WindowsInPointsAreFetchedTogetherOnceTheStepIsKnown) {
  const auto result = Evaluate({"movingAverage(a.x,5)", "movingMax(b.x,2)", "a.y"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(source_.fetches(), 2);
  EXPECT_THAT(Specs(), ElementsAre("a.x 450-600", "b.x 380-600"));
}

TEST_F(EvaluatorTest, NestedWindowsAddUp) {
  ASSERT_TRUE(Evaluate({"movingSum(movingAverage(scale(a.x,2),'1min'),'30s')"}).ok());
  EXPECT_EQ(source_.fetches(), 1);
  EXPECT_THAT(Specs(), ElementsAre("a.x 410-600"));
  EXPECT_FALSE(
      Evaluate({"movingSum(movingSum(movingSum(movingSum(movingSum(a.x,2),2),2),2),2)"}).ok());
}

TEST_F(EvaluatorTest, AWindowReachingBackBeforeTheEpochIsCut) {
  ASSERT_TRUE(Evaluate({"movingSum(a.x,'1y')"}).ok());
  EXPECT_THAT(Specs(), ElementsAre("a.x 0-600"));
  EXPECT_EQ(Evaluate({"movingSum(a.x,'9999y')"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(EvaluatorTest, MistakesAreFoundBeforeAnythingIsFetched) {
  const auto result = Evaluate({"a.x", "scale(a.x,nosuch(3))"});
  EXPECT_EQ(result.status().message(),
            "target \"scale(a.x,nosuch(3))\": position 10: scale(): parameter \"factor\" takes a "
            "float, not a series "
            "(is it missing its quotes?)");
  EXPECT_EQ(source_.fetches(), 0);
}

TEST_F(EvaluatorTest, ErrorsOfTheSourceArePassedOn) {
  source_.FailWith(absl::UnavailableError("partition 5: no replica answers"));
  const auto result = Evaluate({"a.x"});
  EXPECT_EQ(result.status(), absl::UnavailableError("partition 5: no replica answers"));
}

TEST_F(EvaluatorTest, LimitsAreErrorsNotCrashes) {
  limits_.series_max = 2;
  EXPECT_EQ(Evaluate({"a.*", "b.x"}).status().code(), absl::StatusCode::kResourceExhausted);
  limits_ = {};
  limits_.points_max = 15;
  EXPECT_EQ(Evaluate({"a.*"}).status().code(), absl::StatusCode::kResourceExhausted);
  limits_ = {};
  limits_.targets_max = 1;
  EXPECT_EQ(Evaluate({"a.x", "a.y"}).status().code(), absl::StatusCode::kInvalidArgument);
  limits_ = {};
  // A second for each of a hundred years.
  EXPECT_EQ(Evaluate({"summarize(constantLine(1),'1s')"}, 0, 100LL * 365 * 86400).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(EvaluatorTest, ATimeThatIsUpEndsTheWork) {
  EvalRequest request;
  request.targets = {"sumSeries(a.*)"};
  request.range = {.from_sec = 500, .until_sec = 600, .now_sec = 1000};
  request.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(EvaluateTargets(request, limits_, &source_).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(EvaluatorTest, TagsFollowTheSeries) {
  source_.Add("disk;dc=a;host=x", 10, 10, std::vector<double>(100, 1));
  source_.Add("disk;dc=b;host=x", 10, 10, std::vector<double>(100, 2));
  const auto result = Evaluate({"sumSeries(scale(disk;dc=a;host=x,2),disk;dc=b;host=x)"});
  ASSERT_TRUE(result.ok()) << result.status();
  Tags expected;
  expected.Set("host", "x");
  expected.Set("name", "disk");
  expected.Set("aggregatedBy", "sum");
  EXPECT_EQ(result->front().tags, expected);
}

// A series whose archives do not reach back as far starts later. Graphite would add its first point
// to everybody's first.
TEST_F(EvaluatorTest, SeriesThatStartLaterAreCombinedByTime) {
  source_.AddArchive("late.x", 450,
                     Series{.name = "late.x",
                            .start_sec = 10,
                            .step_sec = 10,
                            .values = std::vector<double>(100, 1000)});
  const auto result = Evaluate({"sumSeries(a.x,late.x)"}, 500, 600);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->front().start_sec, 510);
  EXPECT_THAT(result->front().values,
              ElementsAre(50, 51, 52, 53, 54, 1055, 1056, 1057, 1058, 1059));
}

TEST_F(EvaluatorTest, TheSameListMayBeUsedTwiceInOneTarget) {
  const auto result = Evaluate({"sumSeries(a.x,scale(a.x,2),a.x)"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->front().values.front(), 4 * 50);
  EXPECT_EQ(result->front().name, "sumSeries(a.x,scale(a.x,2))");
}

TEST_F(EvaluatorTest, LargeWindowsAgreeWithTheSlowWay) {
  std::vector<double> values;
  for (int i = 0; i < 500; ++i)
    values.push_back(i % 7 == 0 ? kAbsent : (i * 7919) % 101 * (i % 3 == 0 ? 1e6 : 1e-3));
  source_.Add("w.x", 10, 10, values);
  for (const int width : {1, 2, 3, 50, 99, 100, 101, 400}) {
    for (const char* func : {"sum", "min", "max", "average"}) {
      EvalRequest request;
      request.targets = {absl::StrCat("movingWindow(w.x,", width, ",'", func, "')")};
      request.range = {.from_sec = 4100, .until_sec = 5000, .now_sec = 6000};
      const auto result = EvaluateTargets(request, limits_, &source_);
      ASSERT_TRUE(result.ok()) << result.status();
      ASSERT_EQ(result->front().values.size(), 90u);
      for (size_t i = 0; i < 90; ++i) {
        const size_t end = 411 + i;  // index of the output point, plus one
        const double expected = ApplyAggFunc(
            *ParseAggFunc(func), absl::MakeConstSpan(values).subspan(
                                     end - static_cast<size_t>(width), static_cast<size_t>(width)));
        const double got = result->front().values[i];
        if (std::isnan(expected)) {
          EXPECT_TRUE(std::isnan(got));
        } else {
          EXPECT_NEAR(got, expected, std::abs(expected) * 1e-12)
              << func << " " << width << " at " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace shoal
