#include "node/query_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/cluster/hash.h"
#include "router/forward/grpc_node_reader.h"
#include "tests/node/test_node.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kPartitions = 16;
constexpr int kSeries = 100;

Deadline Soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

// A node with series many.s0 .. many.s99 of two points each, and some others.
class QueryServiceTest : public ::testing::Test {
 protected:
  void Start(NodeLimits limits = NodeLimits()) {
    NodeConfig config = TestConfig(dir_.path());
    config.limits = limits;
    config.engine.schemas =
        *SchemaRules::Parse("[r]\npattern = ^roll\\.\nretentions = 60s:1h,600s:1d\n", "s");
    config.engine.aggregations = *AggregationRules::Parse(
        "[r]\npattern = ^roll\\.\nxFilesFactor = 0\naggregates = max\n", "a");
    server_ = std::make_unique<NodeServer>(std::move(config));
    const absl::Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status;
    reader_ = MakeGrpcNodeReader(
        {.name = "node-1", .address = absl::StrCat("127.0.0.1:", server_->grpc_port())});
    stub_ = StubOf(*server_);
    TestWriteStream stream(stub_.get(), 1);
    ASSERT_TRUE(stream.AwaitHello());
    std::vector<NamedPoint> points;
    for (int i = 0; i < kSeries; ++i) {
      const std::string name = absl::StrCat("many.s", i);
      names_.push_back(name);
      points.push_back({name, now_sec_ - 120, double(i)});
      points.push_back({name, now_sec_ - 60, i + 0.25});
    }
    points.push_back({"x.a.one", now_sec_ - 60, 1});
    points.push_back({"x.b", now_sec_ - 60, 1});
    points.push_back({"roll.x", now_sec_ / 600 * 600 - 600, 1});
    points.push_back({"roll.x", now_sec_ / 600 * 600 - 540, 5});
    ASSERT_TRUE(stream.Send(points));
    ASSERT_EQ(stream.AwaitAck().sequence(), 1u);
  }
  NodeFetchRequest Request(const std::string& pattern) {
    NodeFetchRequest request;
    request.patterns = {pattern};
    request.range = {now_sec_ - 600, now_sec_, now_sec_};
    return request;
  }
  absl::Status Fetch(const NodeFetchRequest& request, const PartitionBits& bits,
                     std::map<std::string, int>* counts, Deadline deadline = Soon()) {
    Cancellation cancel;
    return reader_->Fetch(request, bits, deadline, &cancel, [&](FetchedSeries fetched) {
      ++(*counts)[fetched.series.name];
      return absl::OkStatus();
    });
  }

  TestDir dir_;
  const int64_t now_sec_ = Clock::System()->NowSec() / 60 * 60;
  std::vector<std::string> names_;
  std::unique_ptr<NodeServer> server_;
  std::unique_ptr<v1::Node::Stub> stub_;
  std::unique_ptr<NodeReader> reader_;
};

TEST_F(QueryServiceTest, ComplementaryPartitionSetsGiveEverySeriesExactlyOnce) {
  Start();
  PartitionBits even(kPartitions);
  PartitionBits odd(kPartitions);
  for (uint32_t p = 0; p < kPartitions; ++p) (p % 2 == 0 ? even : odd).Set(p);
  std::map<std::string, int> in_even;
  std::map<std::string, int> all;
  ASSERT_TRUE(Fetch(Request("many.*"), even, &in_even).ok());
  for (const auto& [name, count] : in_even) {
    EXPECT_EQ(PartitionOf(name, kPartitions) % 2, 0u) << name;
  }
  all = in_even;
  ASSERT_TRUE(Fetch(Request("many.*"), odd, &all).ok());
  EXPECT_EQ(all.size(), names_.size());
  for (const auto& [name, count] : all) EXPECT_EQ(count, 1) << name;
  EXPECT_LT(in_even.size(), all.size());
  EXPECT_GT(in_even.size(), 0u);
}

TEST_F(QueryServiceTest, PatternsAreAnsweredByTheirIndex) {
  Start();
  NodeFetchRequest request = Request("x.*");
  request.patterns = {"many.s1", "none.*", "many.s[12]"};
  std::vector<std::pair<uint32_t, std::string>> found;
  Cancellation cancel;
  const absl::Status status = reader_->Fetch(
      request, AllPartitions(kPartitions), Soon(), &cancel, [&](FetchedSeries fetched) {
        found.emplace_back(fetched.pattern_index, fetched.series.name);
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(found, ElementsAre(std::pair(0u, std::string("many.s1")),
                                 std::pair(2u, std::string("many.s1")),
                                 std::pair(2u, std::string("many.s2"))));
}

TEST_F(QueryServiceTest, TheAggregateReachesTheArchive) {
  Start();
  const auto fetched = [&](std::optional<AggregateSpec> aggregate) {
    NodeFetchRequest request = Request("roll.x");
    request.range.from_sec = now_sec_ - 7200;  // the coarser archive
    request.range.aggregate = aggregate;
    double value = 0;
    Cancellation cancel;
    EXPECT_TRUE(reader_
                    ->Fetch(request, AllPartitions(kPartitions), Soon(), &cancel,
                            [&](FetchedSeries series) {
                              EXPECT_EQ(series.series.step_sec, 600);
                              for (const double v : series.series.values)
                                value += std::isnan(v) ? 0 : v;
                              return absl::OkStatus();
                            })
                    .ok());
    return value;
  };
  EXPECT_EQ(fetched(std::nullopt), 3);
  EXPECT_EQ(fetched(AggregateSpec{AggregationMethod::kMax, 0}), 5);
  // Kept as a part of the average, but not asked for in the rule.
  EXPECT_EQ(fetched(AggregateSpec{AggregationMethod::kSum, 0}), 3);
}

TEST_F(QueryServiceTest, LimitsOfTheNodeAndOfTheRequestAreNamed) {
  NodeLimits limits;
  limits.fetch_series_max = 50;
  Start(limits);
  std::map<std::string, int> counts;
  absl::Status status = Fetch(Request("many.*"), AllPartitions(kPartitions), &counts);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("50 series"));
  NodeFetchRequest request = Request("many.s1*");
  request.points_max = 10;
  status = Fetch(request, AllPartitions(kPartitions), &counts);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("10 points"));
  request.points_max = 0;
  request.series_max = 5;
  EXPECT_EQ(Fetch(request, AllPartitions(kPartitions), &counts).code(),
            absl::StatusCode::kResourceExhausted);
  request.series_max = 11;  // s1, s10 .. s19
  EXPECT_TRUE(Fetch(request, AllPartitions(kPartitions), &counts).ok());
}

TEST_F(QueryServiceTest, BadRequestsAreRefused) {
  Start();
  std::map<std::string, int> counts;
  EXPECT_EQ(Fetch(Request("a.{b"), AllPartitions(kPartitions), &counts).code(),
            absl::StatusCode::kInvalidArgument);
  grpc::ClientContext call;
  v1::FetchRequest request;
  request.add_patterns("many.*");
  request.mutable_partitions()->set_partition_count(16);
  request.mutable_partitions()->set_bitmap("too long for it");
  std::unique_ptr<grpc::ClientReader<v1::FetchResponse>> reader = stub_->Fetch(&call, request);
  v1::FetchResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(QueryServiceTest, AVisitorsErrorAndACancellationEndTheCall) {
  Start();
  Cancellation cancel;
  const absl::Status status =
      reader_->Fetch(Request("many.*"), AllPartitions(kPartitions), Soon(), &cancel,
                     [&](FetchedSeries) { return absl::ResourceExhaustedError("enough"); });
  EXPECT_EQ(status, absl::ResourceExhaustedError("enough"));
  Cancellation cancelled;
  cancelled.Cancel();
  EXPECT_EQ(reader_
                ->ListNames(AllPartitions(kPartitions), Soon(), &cancelled,
                            [](std::string) { return absl::OkStatus(); })
                .code(),
            absl::StatusCode::kCancelled);
}

TEST_F(QueryServiceTest, FindGivesBranchesAndTheLeavesOfThePartitions) {
  Start();
  std::vector<std::string> found;
  const auto visit = [&](FindEntry entry) {
    found.push_back(absl::StrCat(entry.path, entry.is_leaf ? " leaf" : " branch"));
    return absl::OkStatus();
  };
  Cancellation cancel;
  ASSERT_TRUE(reader_->Find("x.*", AllPartitions(kPartitions), Soon(), &cancel, visit).ok());
  EXPECT_THAT(found, ElementsAre("x.a branch", "x.b leaf"));
  found.clear();
  PartitionBits others = PartitionBits(kPartitions);
  for (uint32_t p = 0; p < kPartitions; ++p) {
    if (p != PartitionOf("x.b", kPartitions)) others.Set(p);
  }
  ASSERT_TRUE(reader_->Find("x.*", others, Soon(), &cancel, visit).ok());
  EXPECT_THAT(found, ElementsAre("x.a branch"));
}

TEST_F(QueryServiceTest, ListNamesGivesTheNamesOfThePartitionsSorted) {
  Start();
  std::vector<std::string> listed;
  Cancellation cancel;
  ASSERT_TRUE(reader_
                  ->ListNames(AllPartitions(kPartitions), Soon(), &cancel,
                              [&](std::string name) {
                                listed.push_back(std::move(name));
                                return absl::OkStatus();
                              })
                  .ok());
  EXPECT_EQ(listed.size(), names_.size() + 3);
  EXPECT_TRUE(std::is_sorted(listed.begin(), listed.end()));
}

TEST_F(QueryServiceTest, AnAnswerOfManyChunksArrivesWhole) {
  Start();
  NodeFetchRequest request = Request("many.*");
  request.range.from_sec = now_sec_ - 6 * 86'400;  // 8,640 steps each: 6.9 MB in all
  uint64_t values = 0;
  std::map<std::string, int> counts;
  Cancellation cancel;
  const absl::Status status = reader_->Fetch(request, AllPartitions(kPartitions), Soon(), &cancel,
                                             [&](FetchedSeries fetched) {
                                               values += fetched.series.values.size();
                                               ++counts[fetched.series.name];
                                               return absl::OkStatus();
                                             });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(counts.size(), names_.size());
  EXPECT_EQ(values, uint64_t{8640} * kSeries);
}

TEST_F(QueryServiceTest, ANodeThatIsNotThereFailsAtOnceAndByName) {
  Start();
  ASSERT_TRUE(server_->Stop().ok());
  std::map<std::string, int> counts;
  const absl::Status status = Fetch(Request("many.*"), AllPartitions(kPartitions), &counts);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node node-1 (127.0.0.1:"));
}

}  // namespace
}  // namespace shoal
