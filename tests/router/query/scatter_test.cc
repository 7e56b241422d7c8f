#include "router/query/scatter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/router/query/fake_node.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kNodes = 3;
constexpr uint32_t kPartitions = 64;

Deadline In(std::chrono::milliseconds timeout) {
  return std::chrono::steady_clock::now() + timeout;
}
Deadline Soon() { return In(std::chrono::seconds(20)); }

Series MakeSeries(const std::string& name, std::vector<double> values, int64_t start_sec = 600,
                  int64_t step_sec = 60) {
  Series series;
  series.name = name;
  series.start_sec = start_sec;
  series.step_sec = step_sec;
  series.values = std::move(values);
  return series;
}

// Absent values as "-", so that they compare.
std::vector<std::string> Text(const std::vector<double>& values) {
  std::vector<std::string> text;
  for (const double value : values) text.push_back(std::isnan(value) ? "-" : absl::StrCat(value));
  return text;
}

class ScatterTest : public ::testing::Test {
 protected:
  ScatterTest() {
    auto topology = std::make_shared<Topology>();
    topology->cluster = "test";
    topology->partitions = kPartitions;
    topology->replication = 2;
    for (size_t i = 0; i < kNodes; ++i) {
      TopologyNode node;
      node.name = absl::StrCat("node-", i + 1);
      node.address = absl::StrCat("127.0.0.1:", 7000 + i);
      topology->nodes.push_back(node);
      nodes_.push_back(std::make_unique<FakeNode>());
    }
    topology_ = topology;
    map_ = std::make_shared<PartitionMap>(*topology);
    options_.fan_out.metrics = &metrics_;
    options_.fan_out.hedge_after = std::chrono::milliseconds(10'000);
  }

  Scatter& scatter() {
    if (scatter_ == nullptr) {
      std::vector<std::unique_ptr<NodeReader>> readers;
      for (const auto& node : nodes_)
        readers.push_back(std::make_unique<FakeNodeReader>(node.get()));
      scatter_ = std::make_unique<Scatter>(topology_, map_, std::move(readers), &health_, options_);
    }
    return *scatter_;
  }
  absl::Span<const uint16_t> OwnersOf(const std::string& name) {
    return map_->Owners(PartitionOf(name, kPartitions));
  }
  FakeNode& Owner(const std::string& name, size_t rank) { return *nodes_[OwnersOf(name)[rank]]; }
  const std::string& OwnerName(const std::string& name, size_t rank) {
    return topology_->nodes[OwnersOf(name)[rank]].name;
  }
  // On both owners.
  void Put(const Series& series) {
    for (const uint16_t owner : OwnersOf(series.name)) nodes_[owner]->Put(series);
  }
  std::vector<std::string> PutMany(int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
      names.push_back(absl::StrCat("many.s", i));
      Put(MakeSeries(names.back(), {double(i), double(i) + 1}));
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  absl::StatusOr<std::vector<Series>> Fetch(const std::string& pattern,
                                            Deadline deadline = Soon()) {
    const FetchSpec spec{pattern, {500, 800, 1000}};
    auto result = scatter().Fetch({&spec, 1}, deadline);
    if (!result.ok()) return result.status();
    EXPECT_EQ(result->size(), 1u);
    return std::move(result->front());
  }
  void ExpectNames(const std::vector<Series>& series, const std::vector<std::string>& names) {
    std::vector<std::string> found;
    for (const Series& one : series) found.push_back(one.name);
    EXPECT_EQ(found, names);
  }
  uint64_t Count(const std::string& metric) { return metrics_.AddCounter(metric, "")->Value(); }

  MetricRegistry metrics_;
  std::vector<std::unique_ptr<FakeNode>> nodes_;
  std::shared_ptr<const Topology> topology_;
  std::shared_ptr<const PartitionMap> map_;
  FakeHealth health_;
  ScatterOptions options_;
  std::unique_ptr<Scatter> scatter_;
};

TEST_F(ScatterTest, EveryPartitionIsAskedOfExactlyOneReplica) {
  const std::vector<std::string> names = PutMany(200);
  auto series = Fetch("many.*");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, names);
  std::map<uint32_t, int> asked;
  for (const auto& node : nodes_) {
    for (const auto& [partition, count] : node->asked()) asked[partition] += count;
  }
  EXPECT_EQ(asked.size(), kPartitions);
  for (const auto& [partition, count] : asked) EXPECT_EQ(count, 1) << partition;
}

TEST_F(ScatterTest, ALiteralNameAsksOnlyTheNodeThatOwnsIt) {
  Put(MakeSeries("a.b", {1, 2}));
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, {"a.b"});
  EXPECT_EQ(Owner("a.b", 0).calls(), 1);
  EXPECT_EQ(Owner("a.b", 1).calls(), 0);
  EXPECT_EQ(Owner("a.b", 0).asked().size(), 1u);
}

TEST_F(ScatterTest, ATaggedNameIsFoundWhateverTheOrderOfItsTags) {
  Put(MakeSeries("disk;a=1;b=2", {7}));
  auto series = Fetch("disk;b=2;a=1");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, {"disk;a=1;b=2"});
}

TEST_F(ScatterTest, ADeadNodesPartitionsAreAskedOfTheOtherReplica) {
  const std::vector<std::string> names = PutMany(200);
  nodes_[1]->FailWith(absl::UnavailableError("connection refused"));
  auto series = Fetch("many.*");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, names);
}

TEST_F(ScatterTest, ANodeThatFailsInMidStreamIsAskedElsewhereAndNothingComesTwice) {
  const std::vector<std::string> names = PutMany(200);
  nodes_[0]->FailWith(absl::UnavailableError("stream broken"), 5);
  auto series = Fetch("many.*");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, names);
  for (const Series& one : *series) EXPECT_EQ(one.values.size(), 2u);
}

TEST_F(ScatterTest, ANodeThatFailedIsNotAskedAgainForAMoment) {
  PutMany(100);
  nodes_[1]->FailWith(absl::UnavailableError("connection refused"));
  ASSERT_TRUE(Fetch("many.*").ok());
  const int calls = nodes_[1]->calls();
  ASSERT_TRUE(Fetch("many.*").ok());
  ASSERT_TRUE(Fetch("many.*").ok());
  EXPECT_EQ(nodes_[1]->calls(), calls);
}

TEST_F(ScatterTest, ANodeThatFailedIsAskedAgainWhenTheMomentIsOver) {
  options_.fan_out.distrust_for = std::chrono::milliseconds(0);
  PutMany(100);
  nodes_[1]->FailWith(absl::UnavailableError("connection refused"));
  ASSERT_TRUE(Fetch("many.*").ok());
  nodes_[1]->FailWith(absl::OkStatus());
  const int calls = nodes_[1]->calls();
  ASSERT_TRUE(Fetch("many.*").ok());
  EXPECT_GT(nodes_[1]->calls(), calls);
}

TEST_F(ScatterTest, BothReplicasDownIsAnErrorThatNamesThemAndTheReasons) {
  Put(MakeSeries("a.b", {1}));
  Owner("a.b", 0).FailWith(absl::UnavailableError("connection refused"));
  Owner("a.b", 1).FailWith(absl::UnavailableError("socket closed"));
  auto series = Fetch("a.b");
  EXPECT_EQ(series.status().code(), absl::StatusCode::kUnavailable);
  const std::string text(series.status().message());
  EXPECT_THAT(text, HasSubstr(absl::StrCat(OwnerName("a.b", 0), ": connection refused")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat(OwnerName("a.b", 1), ": socket closed")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("partition ", PartitionOf("a.b", kPartitions))));
}

TEST_F(ScatterTest, TwoDeadNodesOfThreeFailOnlyWhatTheyOwnTogether) {
  const std::vector<std::string> names = PutMany(200);
  nodes_[0]->FailWith(absl::UnavailableError("down"));
  nodes_[1]->FailWith(absl::UnavailableError("down"));
  EXPECT_EQ(Fetch("many.*").status().code(), absl::StatusCode::kUnavailable);
  for (const std::string& name : names) {
    const bool readable = OwnersOf(name)[0] == 2 || OwnersOf(name)[1] == 2;
    EXPECT_EQ(Fetch(name).ok(), readable) << name;
  }
}

TEST_F(ScatterTest, AWholeReplicaIsPreferredToOneThatIsCatchingUp) {
  Put(MakeSeries("a.b", {1, 2}));
  Owner("a.b", 0).Put(MakeSeries("a.b", {1, kAbsent}));
  health_.Set(OwnerName("a.b", 0), ReplicaState::kCatchingUp);
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_THAT(Text((*series)[0].values), ElementsAre("1", "2"));
  EXPECT_EQ(Owner("a.b", 0).calls(), 0);
}

TEST_F(ScatterTest, ReplicasThatAreAllCatchingUpAreMerged) {
  Owner("a.b", 0).Put(MakeSeries("a.b", {1, kAbsent, kAbsent}));
  Owner("a.b", 1).Put(MakeSeries("a.b", {kAbsent, 2, kAbsent, 4}));
  health_.Set(OwnerName("a.b", 0), ReplicaState::kCatchingUp);
  health_.Set(OwnerName("a.b", 1), ReplicaState::kCatchingUp);
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  ASSERT_EQ(series->size(), 1u);
  EXPECT_THAT(Text((*series)[0].values), ElementsAre("1", "2", "-", "4"));
}

TEST_F(ScatterTest, AReplicaThatIsCatchingUpAloneIsNotTakenForTheWholeTruth) {
  Put(MakeSeries("a.b", {1}));
  health_.Set(OwnerName("a.b", 0), ReplicaState::kCatchingUp);
  Owner("a.b", 1).FailWith(absl::UnavailableError("down"));
  auto series = Fetch("a.b");
  EXPECT_EQ(series.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(series.status().message()), HasSubstr("still catching up"));
}

TEST_F(ScatterTest, ANodeThatIsSaidToBeDownIsStillAskedWhenNobodyElseIsThere) {
  Put(MakeSeries("a.b", {1, 2}));
  health_.Set(OwnerName("a.b", 0), ReplicaState::kDown);
  health_.Set(OwnerName("a.b", 1), ReplicaState::kDown);
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_THAT(Text((*series)[0].values), ElementsAre("1", "2"));
}

TEST_F(ScatterTest, ADamagedSeriesIsFilledFromTheOtherReplica) {
  Put(MakeSeries("a.b", {1, 2, 3}));
  Owner("a.b", 0).Put(MakeSeries("a.b", {1, kAbsent, 3}));
  Owner("a.b", 0).SetDamaged("a.b");
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  ASSERT_EQ(series->size(), 1u);
  EXPECT_THAT(Text((*series)[0].values), ElementsAre("1", "2", "3"));
}

TEST_F(ScatterTest, ADamagedSeriesWhoseOtherReplicaIsDownIsRefused) {
  Put(MakeSeries("a.b", {1, 2, 3}));
  Owner("a.b", 0).SetDamaged("a.b");
  Owner("a.b", 1).FailWith(absl::UnavailableError("down"));
  auto series = Fetch("a.b");
  EXPECT_EQ(series.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(series.status().message()), HasSubstr("damaged"));
}

TEST_F(ScatterTest, TwoDamagedCopiesAreMerged) {
  Owner("a.b", 0).Put(MakeSeries("a.b", {1, kAbsent, 3}));
  Owner("a.b", 1).Put(MakeSeries("a.b", {kAbsent, 2, 3}));
  Owner("a.b", 0).SetDamaged("a.b");
  Owner("a.b", 1).SetDamaged("a.b");
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_THAT(Text((*series)[0].values), ElementsAre("1", "2", "3"));
}

TEST_F(ScatterTest, ASlowNodeIsHedgedAndItsCallCancelled) {
  options_.fan_out.hedge_after = std::chrono::milliseconds(20);
  const std::vector<std::string> names = PutMany(100);
  nodes_[2]->Hang(true);
  const auto started = std::chrono::steady_clock::now();
  auto series = Fetch("many.*");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, names);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
  scatter_.reset();  // joins the calls
  EXPECT_EQ(nodes_[2]->cancelled(), 1);
}

TEST_F(ScatterTest, AnAttemptThatExceedsItsTimeIsAskedElsewhere) {
  options_.fan_out.attempt_timeout = std::chrono::milliseconds(20);
  const std::vector<std::string> names = PutMany(100);
  nodes_[2]->Hang(true);
  auto series = Fetch("many.*");
  ASSERT_TRUE(series.ok()) << series.status();
  ExpectNames(*series, names);
}

TEST_F(ScatterTest, TheDeadlineOfTheQueryNamesWhoDidNotAnswer) {
  Put(MakeSeries("a.b", {1}));
  Owner("a.b", 0).Hang(true);
  Owner("a.b", 1).Hang(true);
  auto series = Fetch("a.b", In(std::chrono::milliseconds(30)));
  EXPECT_EQ(series.status().code(), absl::StatusCode::kDeadlineExceeded) << series.status();
  EXPECT_THAT(std::string(series.status().message()), HasSubstr(OwnerName("a.b", 0)));
}

TEST_F(ScatterTest, DifferentStepsDoNotMixAndDoNotCrash) {
  Owner("a.b", 0).Put(MakeSeries("a.b", {1, kAbsent}, 600, 60));
  Owner("a.b", 1).Put(MakeSeries("a.b", {5, 6, 7}, 600, 10));
  Owner("a.b", 0).SetDamaged("a.b");
  auto series = Fetch("a.b");
  ASSERT_TRUE(series.ok()) << series.status();
  ASSERT_EQ(series->size(), 1u);
  EXPECT_EQ((*series)[0].step_sec, 10);
  EXPECT_EQ(Count("shoal_router_replica_step_mismatch_total"), 1u);
}

TEST_F(ScatterTest, ABadPatternIsRefusedBeforeAnyNodeIsAsked) {
  EXPECT_EQ(Fetch("a.{b").status().code(), absl::StatusCode::kInvalidArgument);
  for (const auto& node : nodes_) EXPECT_EQ(node->calls(), 0);
}

TEST_F(ScatterTest, TheSeriesLimitIsExactAndNamed) {
  options_.series_max = 50;
  PutMany(51);
  auto series = Fetch("many.*");
  EXPECT_EQ(series.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(series.status().message()), HasSubstr("query.series_max"));
}

TEST_F(ScatterTest, AtTheSeriesLimitItStillAnswersWhileReplicasAreMerged) {
  options_.series_max = 50;
  PutMany(50);
  for (size_t i = 1; i <= kNodes; ++i) {
    health_.Set(absl::StrCat("node-", i), ReplicaState::kCatchingUp);
  }
  auto series = Fetch("many.*");
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_EQ(series->size(), 50u);
}

TEST_F(ScatterTest, ThePointLimitIsNamed) {
  options_.points_max = 10;
  Put(MakeSeries("a.b", std::vector<double>(11, 1.0)));
  auto series = Fetch("a.b");
  EXPECT_EQ(series.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ScatterTest, ALimitOfANodeEndsTheQueryInsteadOfAskingTheNextReplica) {
  Put(MakeSeries("a.b", {1}));
  Owner("a.b", 0).FailWith(absl::ResourceExhaustedError("too many points on the node"));
  auto series = Fetch("a.b");
  EXPECT_EQ(series.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Owner("a.b", 1).calls(), 0);
}

TEST_F(ScatterTest, SpecsComeBackInOrderAlsoWhenTheyRepeatOrDifferInRange) {
  Put(MakeSeries("a.one", {1}));
  Put(MakeSeries("a.two", {2}));
  const FetchRange first{500, 800, 1000};
  const FetchRange second{400, 800, 1000};
  FetchRange highest = first;
  highest.aggregate = AggregateSpec{AggregationMethod::kMax, 0};
  const std::vector<FetchSpec> specs = {
      {"a.*", first}, {"a.two", second}, {"a.none", first}, {"a.*", first}, {"a.one", highest}};
  auto result = scatter().Fetch(specs, Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->size(), 5u);
  ExpectNames((*result)[4], {"a.one"});
  ExpectNames((*result)[0], {"a.one", "a.two"});
  ExpectNames((*result)[1], {"a.two"});
  EXPECT_THAT((*result)[2], IsEmpty());
  ExpectNames((*result)[3], {"a.one", "a.two"});
}

TEST_F(ScatterTest, FindGivesBranchesAndLeavesOnceAndSorted) {
  for (const char* name : {"x.a.one", "x.a.two", "x.b", "x.b.deep", "y.c"}) {
    Put(MakeSeries(name, {1}));
  }
  auto found = scatter().Find("x.*", Soon());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(*found, ElementsAre(FindEntry{"x.a", false}, FindEntry{"x.b", false},
                                  FindEntry{"x.b", true}));
}

TEST_F(ScatterTest, ListNamesIsTheSortedUnionAlsoWithANodeDown) {
  const std::vector<std::string> names = PutMany(120);
  nodes_[0]->FailWith(absl::UnavailableError("down"), 3);
  auto listed = scatter().ListNames(Soon());
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(*listed, names);
}

TEST_F(ScatterTest, ManyThreadsGetFullAnswersWhileANodeComesAndGoes) {
  options_.fan_out.distrust_for = std::chrono::milliseconds(1);
  const std::vector<std::string> names = PutMany(60);
  Scatter& shared = scatter();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shared, &names] {
      for (int i = 0; i < 50; ++i) {
        const FetchSpec spec{"many.*", {500, 800, 1000}};
        auto result = shared.Fetch({&spec, 1}, Soon());
        ASSERT_TRUE(result.ok()) << result.status();
        ASSERT_EQ((*result)[0].size(), names.size());
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    nodes_[1]->FailWith(absl::UnavailableError("down"), static_cast<size_t>(i % 7));
    nodes_[1]->FailWith(absl::OkStatus());
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace shoal
