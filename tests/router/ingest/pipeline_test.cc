#include "router/ingest/pipeline.h"

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "gtest/gtest.h"
#include "router/ingest/line_framer.h"
#include "tests/router/forward/fake_cluster.h"

namespace shoal {
namespace {

constexpr uint32_t kNow = 1'700'000'000;

// A pipeline whose loop is the test's thread.
class PipelineTest : public testing::Test {
 protected:
  PipelineTest() { options_.names.partition_count = cluster_.topology().partitions; }

  void MakePipeline() {
    stats_ = std::make_unique<IngestStats>(cluster_.metrics());
    pipeline_ = std::make_unique<Pipeline>(options_, cluster_.dispatcher(), stats_.get(),
                                           [this](std::function<void()> f) {
                                             MutexLock lock(&mu_);
                                             posted_.push_back(std::move(f));
                                           });
  }
  void RunPosted() {
    std::vector<std::function<void()>> posted;
    {
      MutexLock lock(&mu_);
      posted.swap(posted_);
    }
    for (const auto& f : posted) f();
  }
  void Feed(absl::string_view bytes, size_t read_size) {
    LineFramer framer(16 << 10);
    for (size_t i = 0; i < bytes.size(); i += read_size) {
      framer.Feed(
          bytes.substr(i, read_size),
          [&](absl::string_view line) { pipeline_->Line(stream_, line, kNow); },
          [&](absl::string_view line) {
            pipeline_->BadLine(*stream_, LineError::kLineTooLong, line);
          });
      pipeline_->FlushCounters();
      ExpectBooksBalance();
    }
    if (!framer.partial().empty()) pipeline_->LastLine(stream_, framer.partial(), kNow);
    pipeline_->FlushCounters();
  }
  bool Settle() {
    pipeline_->CloseChunks();
    return WaitUntil([&] {
      RunPosted();
      return stream_->settled();
    });
  }
  double Count(const std::string& name, const std::string& label = "") {
    return cluster_.Metric("shoal_router_" + name, label);
  }
  void ExpectBooksBalance() {
    EXPECT_EQ(Count("lines_received_total"),
              Count("points_received_total") + Count("lines_bad_total"));
    EXPECT_EQ(Count("points_received_total"),
              Count("points_acked_total") + Count("points_rejected_total") +
                  Count("points_dropped_total") + Count("points_in_flight"));
  }
  // Slots over all peers; every one must be on exactly two.
  std::map<std::pair<std::string, uint32_t>, double> Stored() {
    std::map<std::pair<std::string, uint32_t>, double> slots;
    std::map<std::pair<std::string, uint32_t>, int> copies;
    for (int i = 0; i < 3; ++i) {
      for (const PeerPoint& point : cluster_.peer(i)->Points()) {
        slots[{point.name, point.timestamp_sec}] = point.value;
        ++copies[{point.name, point.timestamp_sec}];
      }
    }
    for (const auto& [slot, count] : copies) EXPECT_EQ(count, 2) << slot.first;
    return slots;
  }

  FakeCluster cluster_;
  PipelineOptions options_;
  std::unique_ptr<IngestStats> stats_;
  std::unique_ptr<Pipeline> pipeline_;
  std::shared_ptr<LineStream> stream_ = std::make_shared<LineStream>(Transport::kTcp);
  Mutex mu_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mu_);
};

// Good lines between every kind of garbage.
struct Mixed {
  std::string bytes;
  std::map<std::pair<std::string, uint32_t>, double> good;
  int bad = 0;
};

Mixed MakeMixed(int count) {
  const std::vector<std::string> garbage = {std::string("\0\1\2", 3),
                                            "nameonly",
                                            "bad nan 1700000000",
                                            "bad 1e999 1700000000",
                                            "bad 0x10 1700000000",
                                            "bad 1_0 1700000000",
                                            "bad 1 2 3 4",
                                            "\xff\xfe 1 1700000000",
                                            "h1..bad 1 1700000000",
                                            ".bad 1 1700000000",
                                            "bad. 1 1700000000",
                                            "bad 1 notatime",
                                            "bad 1 nan",
                                            "bad 1 -5",
                                            "h1/bad 1 1700000000",
                                            "../../etc/passwd 1 1700000000",
                                            std::string(2000, 'x') + " 1 1700000000",
                                            "bad;tag 1 1700000000",
                                            "bad;=v 1 1700000000",
                                            std::string(20'000, 'y'),
                                            "GET / HTTP/1.1",
                                            "\x16\x03\x01\x02",
                                            "bad\x7f 1 1700000000",
                                            std::string("bad 1\0 1700000000", 17),
                                            ". 1 1700000000",
                                            "bad \xd9\xa1 1700000000"};
  Mixed mixed;
  for (int i = 0; i < count; ++i) {
    const std::string name = absl::StrCat("good.series", i % 37);
    const uint32_t timestamp = kNow + static_cast<uint32_t>(i);
    absl::StrAppend(&mixed.bytes, name, i % 2 == 0 ? " " : "\t", i, ".25 ", timestamp,
                    i % 3 == 0 ? "\r\n" : "\n");
    mixed.good[{name, timestamp}] = i + 0.25;
    absl::StrAppend(&mixed.bytes, garbage[static_cast<size_t>(i) % garbage.size()], "\n");
    ++mixed.bad;
    if (i % 5 == 0) mixed.bytes += "\n \r\n";
  }
  return mixed;
}

TEST_F(PipelineTest, GarbageCostsItsOwnLineOnly) {
  MakePipeline();
  const Mixed mixed = MakeMixed(500);
  Feed(mixed.bytes, 4096);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(Stored(), mixed.good);
  EXPECT_EQ(Count("points_acked_total"), 500);
  EXPECT_EQ(Count("lines_bad_total"), mixed.bad);
  EXPECT_EQ(Count("points_in_flight"), 0);
  for (const char* reason :
       {"bad_field_count", "bad_value", "nan_value", "infinite_value", "bad_timestamp",
        "name_too_long", "bad_byte", "empty_node", "bad_tag", "line_too_long"}) {
    EXPECT_GT(Count("lines_bad_total", absl::StrCat("reason=\"", reason, "\"")), 0) << reason;
  }
  ExpectBooksBalance();
}

TEST_F(PipelineTest, SingleByteReadsGiveTheSamePoints) {
  MakePipeline();
  const Mixed mixed = MakeMixed(30);
  LineFramer framer(16 << 10);
  for (const char byte : mixed.bytes) {
    framer.Feed(
        absl::string_view(&byte, 1),
        [&](absl::string_view line) { pipeline_->Line(stream_, line, kNow); },
        [&](absl::string_view line) {
          pipeline_->BadLine(*stream_, LineError::kLineTooLong, line);
        });
  }
  pipeline_->FlushCounters();
  ASSERT_TRUE(Settle());
  EXPECT_EQ(Stored(), mixed.good);
  EXPECT_EQ(Count("lines_bad_total"), mixed.bad);
}

TEST_F(PipelineTest, LastLineWithoutNewlineCountsWhenItIsWhole) {
  MakePipeline();
  Feed("a.b 1 1700000000\nc.d 2 1700000000", 1000);
  Feed("e.f 3", 1000);
  Feed("g..h 3 1700000000", 1000);
  Feed("   ", 1000);
  ASSERT_TRUE(Settle());
  const std::map<std::pair<std::string, uint32_t>, double> expected = {{{"a.b", kNow}, 1},
                                                                       {{"c.d", kNow}, 2}};
  EXPECT_EQ(Stored(), expected);
  EXPECT_EQ(Count("lines_bad_total", "partial_line_at_close"), 1);
  EXPECT_EQ(Count("lines_bad_total", "empty_node"), 1);
  EXPECT_EQ(Count("lines_received_total"), 4);
  ExpectBooksBalance();
}

TEST_F(PipelineTest, ChunksCloseBySizeAndGenerationsDoNotMix) {
  options_.batch_points = 50;
  options_.names.names_max = 30;
  MakePipeline();
  std::map<std::pair<std::string, uint32_t>, double> expected;
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = absl::StrCat("churn.", i % 100);
    absl::StrAppend(&bytes, name, " ", i, " ", kNow + static_cast<uint32_t>(i), "\n");
    expected[{name, kNow + static_cast<uint32_t>(i)}] = i;
  }
  Feed(bytes, 1 << 20);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(Stored(), expected);
  EXPECT_GT(Count("name_generations_total"), 10);
  EXPECT_EQ(Count("points_acked_total"), 1000);
}

TEST_F(PipelineTest, RefusedPointsAreCountedOnceByReason) {
  for (int i = 0; i < 3; ++i) {
    cluster_.peer(i)->refuse = [](const PeerPoint& point, NodeRefusal* reason) {
      *reason = point.value < 5 ? NodeRefusal::kTooOld : NodeRefusal::kTooFarAhead;
      return point.value < 10;
    };
  }
  MakePipeline();
  std::string bytes;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&bytes, "r.", i, " ", i, " 1700000000\n");
  Feed(bytes, 100);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(Count("points_acked_total"), 20);
  EXPECT_EQ(Count("points_rejected_total", "too_old"), 5);
  EXPECT_EQ(Count("points_rejected_total", "too_far_ahead"), 5);
  EXPECT_EQ(Count("points_in_flight"), 0);
  ExpectBooksBalance();
}

TEST_F(PipelineTest, SettledOnlyWhenEveryChunkHasItsVerdict) {
  options_.batch_points = 10;
  MakePipeline();
  for (int i = 0; i < 3; ++i) cluster_.peer(i)->HoldAcks(true);
  int settled = 0;
  stream_->on_settled = [&] { ++settled; };
  std::string bytes;
  for (int i = 0; i < 35; ++i) absl::StrAppend(&bytes, "s.", i, " 1 1700000000\n");
  Feed(bytes, 1 << 20);
  EXPECT_TRUE(pipeline_->has_open_chunk());
  EXPECT_EQ(stream_->chunks_pending, 3u);
  pipeline_->CloseChunks();
  EXPECT_FALSE(pipeline_->has_open_chunk());
  RunPosted();
  EXPECT_FALSE(stream_->settled());
  EXPECT_EQ(Count("points_in_flight"), 35);
  for (int i = 0; i < 3; ++i) cluster_.peer(i)->HoldAcks(false);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(settled, 1);
}

}  // namespace
}  // namespace shoal
