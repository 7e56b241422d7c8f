#include "storage/engine.h"

#include <atomic>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Points = EngineHarness::Points;

constexpr int64_t kNow = kStartSec;

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(h_.Open().ok()); }
  bool Write(const std::string& name, std::vector<Point> points) {
    std::vector<std::pair<std::string, Point>> named;
    for (const Point& point : points) named.emplace_back(name, point);
    return h_.Write(named).ok();
  }
  void Kill() {
    h_.fs.CrashAfter(0);
    h_.engine.reset();
    h_.fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  }

  EngineHarness h_;
};

TEST_F(EngineTest, PointsAreReadableBeforeAndAfterTheFlushAndARestart) {
  ASSERT_TRUE(Write("a.b", {{kNow - 20, 1.5}, {kNow - 10, 2.5}, {kNow - 7, 3.5}}));
  const Points expected = {{kNow - 20, 1.5}, {kNow - 10, 3.5}};
  EXPECT_EQ(h_.Read("a.b", kNow - 60, kNow), expected);
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(h_.engine->Stats().write_buffer_points, 0u);
  EXPECT_EQ(h_.Read("a.b", kNow - 60, kNow), expected);
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Read("a.b", kNow - 60, kNow), expected);
}

TEST_F(EngineTest, RefusesSinglePointsByReasonAndTakesTheOthers) {
  WriteBatch batch;
  const SeriesId id = *h_.engine->Resolve("a");
  batch.series = {id, id, kNoSeries, id, id};
  batch.timestamps_sec = {kNow - 8 * 86400, kNow + 2 * 86400, kNow, kNow, -5};
  batch.values = {1, 2, 3, 4, 5};
  const WriteResult result = h_.engine->WriteAndWait(std::move(batch));
  ASSERT_TRUE(result.status.ok());
  ASSERT_EQ(result.refused.size(), 4u);
  EXPECT_EQ(result.refused[0].reason, RefusalReason::kTooOld);
  EXPECT_EQ(result.refused[1].reason, RefusalReason::kTooFarAhead);
  EXPECT_EQ(result.refused[2].reason, RefusalReason::kSeriesLimit);
  EXPECT_EQ(result.refused[3].index, 4u);
  EXPECT_EQ(h_.Read("a", kNow - 60, kNow), (Points{{kNow, 4}}));
}

TEST_F(EngineTest, NamesAreCheckedAndLimited) {
  EXPECT_TRUE(absl::IsInvalidArgument(h_.engine->Resolve("a..b").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(h_.engine->Resolve("../../etc/passwd").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(h_.engine->Resolve("n;b=1;a=2").status())) << "not canonical";
  h_.options.series_max = 2;
  ASSERT_TRUE(h_.Open().ok());
  const SeriesId first = *h_.engine->Resolve("one");
  EXPECT_TRUE(h_.engine->Resolve("two").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(h_.engine->Resolve("three").status()));
  EXPECT_EQ(*h_.engine->Resolve("one"), first);
}

TEST_F(EngineTest, FetchFollowsWhispersRules) {
  ASSERT_TRUE(Write("w", {{kNow - 20, 1}, {kNow - 10, 2}, {kNow, 3}}));
  const SeriesId id = h_.Find("w");
  Series series;
  // `from` is exclusive, `until` inclusive on the grid.
  ASSERT_TRUE(h_.engine->Read(id, {kNow - 20, kNow, kNow}, &series).ok());
  EXPECT_EQ(series.start_sec, kNow - 10);
  EXPECT_THAT(series.values, ElementsAre(2, 3));
  ASSERT_TRUE(h_.engine->Read(id, {kNow, kNow, kNow}, &series).ok());
  EXPECT_EQ(series.start_sec, kNow + 10);
  EXPECT_EQ(series.values.size(), 1u);
  // Outside: empty.
  ASSERT_TRUE(h_.engine->Read(id, {kNow + 100, kNow + 200, kNow}, &series).ok());
  EXPECT_TRUE(series.values.empty());
  ASSERT_TRUE(h_.engine->Read(id, {kNow - 20 * 86400, kNow - 19 * 86400, kNow}, &series).ok());
  EXPECT_TRUE(series.values.empty());
  // The age of `from` alone picks the archive.
  ASSERT_TRUE(h_.engine->Read(id, {kNow - 3601, kNow, kNow}, &series).ok());
  EXPECT_EQ(series.step_sec, 60);
  ASSERT_TRUE(h_.engine->Read(id, {kNow - 100 * 86400, kNow, kNow}, &series).ok());
  EXPECT_EQ(series.step_sec, 600);
  EXPECT_EQ(series.values.size(), 7u * 144);
  EXPECT_TRUE(absl::IsInvalidArgument(h_.engine->Read(id, {kNow, kNow - 1, kNow}, &series)));
  EXPECT_TRUE(absl::IsNotFound(h_.engine->Read(12345, {kNow - 1, kNow, kNow}, &series)));
}

TEST_F(EngineTest, BackfillGoesToTheFinestArchiveThatCoversIt) {
  const int64_t old = kNow - 2 * 3600;  // only 60 s and 600 s cover this
  const int64_t older = kNow - 86400;   // only 600 s
  ASSERT_TRUE(Write("b.avg", {{old, 10}, {old + 10, 20}, {older, 7}}));
  ASSERT_TRUE(Write("b.sum", {{old, 10}, {old + 10, 20}}));
  for (const bool flushed : {false, true}) {
    EXPECT_EQ(h_.Read("b.avg", old - 60, kNow), (Points{{old, 15}})) << flushed;
    EXPECT_EQ(h_.Read("b.sum", old - 60, kNow), (Points{{old, 30}})) << flushed;
    EXPECT_EQ(h_.Read("b.avg", older - 600, kNow - 4 * 3600), (Points{{older, 7}})) << flushed;
    ASSERT_TRUE(h_.engine->Flush().ok());
  }
  // More of the same step, after the flush: merged.
  ASSERT_TRUE(Write("b.avg", {{old + 20, 60}}));
  ASSERT_TRUE(Write("b.sum", {{old + 20, 60}}));
  for (const bool flushed : {false, true}) {
    EXPECT_EQ(h_.Read("b.avg", old - 60, kNow), (Points{{old, 30}})) << flushed;
    EXPECT_EQ(h_.Read("b.sum", old - 60, kNow), (Points{{old, 90}})) << flushed;
    ASSERT_TRUE(h_.engine->Flush().ok());
  }
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Read("b.avg", old - 60, kNow), (Points{{old, 30}}));
}

TEST_F(EngineTest, AReplayAfterALongStopDoesNotCountPointsTwice) {
  std::vector<Point> points;
  for (int64_t t = kNow - 600; t < kNow; t += 10) points.push_back({t, 6});
  ASSERT_TRUE(Write("r.sum", points));
  ASSERT_TRUE(h_.engine->Flush().ok());
  // The same points once more, in the WAL only; then the node is away until they are older than the
  // finest archive.
  ASSERT_TRUE(Write("r.sum", points));
  Kill();
  h_.clock.Advance(2 * 3600);
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  for (const auto& [time, value] : h_.Read("r.sum", kNow - 601, kNow)) EXPECT_EQ(value, 36) << time;
}

TEST_F(EngineTest, DeletedSeriesAreGoneForGood) {
  ASSERT_TRUE(Write("d.x", {{kNow, 1}}));
  ASSERT_TRUE(Write("d.y", {{kNow, 2}}));
  ASSERT_TRUE(h_.engine->Flush().ok());
  const SeriesId id = h_.Find("d.x");
  ASSERT_TRUE(h_.engine->Delete("d.x").ok());
  EXPECT_TRUE(absl::IsNotFound(h_.engine->Delete("d.x")));
  EXPECT_EQ(h_.Find("d.x"), kNoSeries);
  // A stream that resolved the name before.
  WriteBatch batch{{id}, {kNow}, {3}};
  EXPECT_EQ(h_.engine->WriteAndWait(batch).refused.size(), 1u);
  Kill();
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Find("d.x"), kNoSeries);
  ASSERT_TRUE(Write("d.x", {{kNow - 10, 5}}));
  EXPECT_NE(h_.Find("d.x"), id);
  ASSERT_TRUE(h_.engine->Flush().ok());
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Read("d.x", kNow - 60, kNow), (Points{{kNow - 10, 5}}));
  EXPECT_EQ(h_.Read("d.y", kNow - 60, kNow), (Points{{kNow, 2}}));
}

TEST_F(EngineTest, AnotherNodesFolderIsRefusedAndLeftAlone) {
  h_.engine.reset();
  const std::vector<std::string> files = h_.fs.Files();
  const int64_t mutations = h_.fs.mutations();
  EngineOptions other;
  other.fs = &h_.fs;
  other.clock = &h_.clock;
  other.dir = "/data";
  other.cluster_name = "test";
  other.node_name = "node-2";
  const absl::Status status = Engine::Open(std::move(other)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node-1"));
  EXPECT_EQ(h_.fs.Files(), files);
  EXPECT_EQ(h_.fs.mutations(), mutations);
}

TEST_F(EngineTest, OneFolderOneEngine) {
  EngineOptions second;
  second.fs = &h_.fs;
  second.clock = &h_.clock;
  second.dir = "/data";
  second.cluster_name = "test";
  second.node_name = "node-1";
  EXPECT_TRUE(absl::IsFailedPrecondition(Engine::Open(std::move(second)).status()));
}

TEST_F(EngineTest, FailingSyncsCostNoAcknowledgedPoint) {
  Points acked;
  h_.fs.FailEvery(FaultFileSystem::Fault::kSync, 3, absl::UnavailableError("EIO"), "/wal/");
  for (int i = 0; i < 200; ++i) {
    const int64_t time = kNow - 10 * i;
    if (Write("k3", {{time, static_cast<double>(i)}})) acked[time] = i;
  }
  EXPECT_GT(acked.size(), 150u);
  h_.fs.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  Kill();
  ASSERT_TRUE(h_.Open().ok());
  const Points found = h_.Read("k3", kNow - 2100, kNow);
  for (const auto& [time, value] : acked) {
    ASSERT_EQ(found.count(time), 1u) << time;
    EXPECT_EQ(found.at(time), value);
  }
}

TEST_F(EngineTest, AFullDiskIsReadOnlyAndRecoversByItself) {
  ASSERT_TRUE(Write("full", {{kNow - 10, 1}}));
  h_.fs.SetFreeBytes(1 << 20);
  EXPECT_FALSE(Write("full", {{kNow, 2}}));
  EXPECT_TRUE(h_.engine->Stats().read_only);
  EXPECT_THAT(h_.engine->Stats().read_only_reason, HasSubstr("disk full"));
  EXPECT_EQ(h_.Read("full", kNow - 60, kNow), (Points{{kNow - 10, 1}}));
  h_.fs.SetFreeBytes(uint64_t{1} << 40);
  while (h_.engine->Stats().read_only) std::this_thread::yield();
  EXPECT_TRUE(Write("full", {{kNow, 3}}));
}

TEST_F(EngineTest, AFailedLogRecoversByItself) {
  h_.fs.FailEvery(FaultFileSystem::Fault::kWrite, 1, absl::ResourceExhaustedError("ENOSPC"),
                  "/wal/");
  EXPECT_FALSE(Write("new.series", {{kNow, 1}}));
  EXPECT_TRUE(h_.engine->Stats().read_only);
  h_.fs.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  while (h_.engine->Stats().read_only) std::this_thread::yield();
  // Its definition was in the group that failed: it must get into the log all the same.
  ASSERT_TRUE(Write("new.series", {{kNow, 2}}));
  Kill();
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Read("new.series", kNow - 60, kNow), (Points{{kNow, 2}}));
}

TEST_F(EngineTest, AFailingFlushKeepsThePointsAndIsMadeUpFor) {
  ASSERT_TRUE(Write("f", {{kNow - 20, 0}}));
  ASSERT_TRUE(h_.engine->Flush().ok());
  ASSERT_TRUE(Write("f", {{kNow - 10, 1}}));
  h_.fs.FailEvery(FaultFileSystem::Fault::kSync, 1, absl::UnavailableError("EIO"), "/ring/");
  EXPECT_FALSE(h_.engine->Flush().ok());
  ASSERT_TRUE(Write("f", {{kNow, 2}}));
  const Points expected = {{kNow - 20, 0}, {kNow - 10, 1}, {kNow, 2}};
  EXPECT_EQ(h_.Read("f", kNow - 60, kNow), expected);
  h_.fs.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(h_.engine->Stats().write_buffer_points, 0u);
  EXPECT_EQ(h_.Read("f", kNow - 60, kNow), expected);
}

TEST_F(EngineTest, TheBufferBoundsMemoryByFlushing) {
  h_.options.write_buffer_bytes_max = 256 << 10;
  ASSERT_TRUE(h_.Open().ok());
  for (int i = 0; i < 200; ++i) {
    std::vector<std::pair<std::string, Point>> points;
    for (int s = 0; s < 500; ++s)
      points.push_back({absl::StrCat("m.", s), {kNow - 10 * i, static_cast<double>(i)}});
    ASSERT_TRUE(h_.Write(points).ok());
    ASSERT_LT(h_.engine->Stats().write_buffer_bytes, (256u << 10) * 3 / 2);
  }
  EXPECT_EQ(h_.Read("m.17", kNow - 2000, kNow).size(), 200u);
}

TEST_F(EngineTest, TheLogIsBoundedByFlushing) {
  h_.options.wal_bytes_max = 128 << 10;
  ASSERT_TRUE(h_.Open().ok());
  for (int i = 0; i < 200; ++i) {
    std::vector<std::pair<std::string, Point>> points;
    for (int s = 0; s < 500; ++s)
      points.push_back({absl::StrCat("m.", s), {kNow - 10 * i, static_cast<double>(i)}});
    ASSERT_TRUE(h_.Write(points).ok());
    // A batch on top of the limit, and the segments' headers.
    ASSERT_LT(h_.engine->Stats().wal_bytes, (128u << 10) + (16u << 10));
  }
  EXPECT_EQ(h_.Read("m.17", kNow - 2000, kNow).size(), 200u);
  // A log that is over its limit at the start holds nobody up for long.
  Kill();
  h_.options.wal_bytes_max = 1 << 10;
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(Write("m.new", {{kNow, 1}}));
  ASSERT_TRUE(Write("m.new", {{kNow - 10, 1}}));
  EXPECT_EQ(h_.Read("m.17", kNow - 2000, kNow).size(), 200u);
}

TEST_F(EngineTest, FiftyRestartsInARowTakeNoMoreDisk) {
  for (int s = 0; s < 100; ++s) {
    ASSERT_TRUE(Write(absl::StrCat("m.", s), {{kNow, static_cast<double>(s)}}));
    if (s == 50) {
      ASSERT_TRUE(h_.engine->Flush().ok());
    }
  }
  Kill();
  ASSERT_TRUE(h_.Open().ok());
  const auto files = [&] {
    std::vector<std::string> names;
    for (const char* const dir : {"/data", "/data/wal", "/data/ring"}) {
      const std::vector<std::string> listed = h_.fs.List(dir).value();
      for (const std::string& name : listed) names.push_back(JoinPath(dir, name));
    }
    return names;
  };
  const std::vector<std::string> before = files();
  const uint64_t wal_bytes = h_.engine->Stats().wal_bytes;
  for (int i = 0; i < 50; ++i) {
    Kill();
    ASSERT_TRUE(h_.Open().ok()) << i;
  }
  EXPECT_EQ(files(), before);
  EXPECT_EQ(h_.engine->Stats().wal_bytes, wal_bytes);
  EXPECT_EQ(h_.Read("m.99", kNow - 10, kNow).size(), 1u);
}

TEST_F(EngineTest, ReplayStaysWithinTheBuffersBound) {
  for (int i = 0; i < 100; ++i) {
    std::vector<std::pair<std::string, Point>> points;
    for (int s = 0; s < 200; ++s)
      points.push_back({absl::StrCat("m.", s), {kNow - 10 * i, static_cast<double>(i)}});
    ASSERT_TRUE(h_.Write(points).ok());
  }
  Kill();
  h_.options.write_buffer_bytes_max = 128 << 10;
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_LT(h_.engine->Stats().write_buffer_bytes, 128u << 10);
  EXPECT_EQ(h_.engine->recovery().points_replayed, 20'000u);
  EXPECT_EQ(h_.Read("m.17", kNow - 1000, kNow).size(), 100u);
}

TEST_F(EngineTest, LosingLevelDbLosesNothing) {
  for (int s = 0; s < 300; ++s)
    ASSERT_TRUE(Write(absl::StrCat("i.", s), {{kNow, static_cast<double>(s)}}));
  ASSERT_TRUE(h_.engine->Flush().ok());
  h_.engine.reset();
  for (const std::string& path : h_.fs.Files()) {
    if (!absl::StrContains(path, "/leveldb/")) continue;
    ASSERT_TRUE(h_.fs.Remove(path).ok()) << path;
  }
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_TRUE(h_.engine->recovery().index_rebuilt);
  for (int s = 0; s < 300; ++s) {
    ASSERT_EQ(h_.Read(absl::StrCat("i.", s), kNow - 60, kNow),
              (Points{{kNow, static_cast<double>(s)}}));
  }
}

TEST_F(EngineTest, DamageInTheMiddleOfTheLogIsReportedAndNeverData) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Write("mid", {{kNow - 10 * i, static_cast<double>(i)}}));
  Kill();
  for (const std::string& path : h_.fs.Files()) {
    if (!absl::StrContains(path, "/wal/")) continue;
    EXPECT_TRUE(h_.fs.FlipBits(path, 400, 0x10));
  }
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.engine->recovery().damaged_records, 1u);
  const Points found = h_.Read("mid", kNow - 600, kNow);
  EXPECT_EQ(found.size(), 49u);
  for (const auto& [time, value] : found) EXPECT_EQ(value, static_cast<double>((kNow - time) / 10));
}

TEST_F(EngineTest, FindsAndLists) {
  for (const char* name : {"a.b.c", "a.b", "x"}) ASSERT_TRUE(Write(name, {{kNow, 1}}));
  std::vector<std::string> found;
  ASSERT_TRUE(h_.engine
                  ->Find(*Glob::Compile("*.*"),
                         [&](const FoundNode& node) {
                           found.push_back(absl::StrCat(node.path, node.is_leaf ? "" : "."));
                           return true;
                         })
                  .ok());
  EXPECT_THAT(found, ElementsAre("a.b.", "a.b"));
  found.clear();
  ASSERT_TRUE(
      h_.engine->ListNames([&](absl::string_view name, SeriesId) { found.emplace_back(name); })
          .ok());
  EXPECT_THAT(found, ElementsAre("a.b", "a.b.c", "x"));
}

TEST_F(EngineTest, ManyWritersReadersAndFlushesAtOnce) {
  constexpr int kWriters = 4;
  constexpr int kRounds = 200;
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kRounds; ++i) {
        const std::string name = absl::StrCat("t.w", w, ".s", i % 10);
        ASSERT_TRUE(Write(name, {{kNow - 10 * (i / 10), static_cast<double>(i)}}));
      }
    });
  }
  std::thread flusher([&] {
    while (!stop) ASSERT_TRUE(h_.engine->Flush().ok());
  });
  // A point once seen never goes away: no flush may hide it.
  std::thread reader([&] {
    size_t seen = 0;
    while (!stop) {
      const size_t now = h_.Read("t.w0.s0", kNow - 3000, kNow).size();
      ASSERT_GE(now, seen);
      seen = now;
    }
  });
  for (std::thread& writer : writers) writer.join();
  stop = true;
  flusher.join();
  reader.join();
  for (int w = 0; w < kWriters; ++w) {
    EXPECT_EQ(h_.Read(absl::StrCat("t.w", w, ".s3"), kNow - 3000, kNow).size(), 20u);
  }
}

TEST_F(EngineTest, IntervalSyncMakesPointsDurableSoon) {
  h_.options.wal_sync = WalSync::kInterval;
  h_.options.wal_sync_interval_ms = 1;
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(Write("interval", {{kNow, 1}}));
  while (h_.fs.HasUnsynced("/wal/")) std::this_thread::yield();
  Kill();
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Read("interval", kNow - 60, kNow).count(kNow), 1u);
}

TEST_F(EngineTest, ABatchBeyondTheLimitIsRefusedAsAWhole) {
  const size_t count = (2 << 20) + 1;
  WriteBatch batch;
  batch.series.assign(count, *h_.engine->Resolve("huge"));
  batch.timestamps_sec.assign(count, kNow);
  batch.values.assign(count, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(h_.engine->WriteAndWait(std::move(batch)).status));
  EXPECT_FALSE(h_.engine->Stats().read_only);
}

TEST_F(EngineTest, AfterCloseWritesAreUnavailable) {
  ASSERT_TRUE(Write("c", {{kNow, 1}}));
  const SeriesId id = h_.Find("c");
  ASSERT_TRUE(h_.engine->Close().ok());
  EXPECT_TRUE(h_.engine->Close().ok());
  EXPECT_TRUE(absl::IsUnavailable(h_.engine->WriteAndWait({{id}, {kNow}, {2}}).status));
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.engine->recovery().points_replayed, 0u) << "a clean stop leaves nothing to replay";
}

TEST_F(EngineTest, LosingTheIndexFolderLosesNothing) {
  ASSERT_TRUE(h_.Open().ok());
  std::vector<std::pair<std::string, Point>> points;
  for (int i = 0; i < 500; ++i) {
    points.push_back({absl::StrCat("a.host", i, ".cpu"), {kStartSec, static_cast<double>(i)}});
  }
  ASSERT_TRUE(h_.Write(points).ok());
  ASSERT_TRUE(h_.engine->Delete("a.host7.cpu").ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  ASSERT_TRUE(h_.engine->Close().ok());
  h_.engine.reset();
  for (const std::string& path : h_.fs.Files()) {
    if (path.find("/data/index/") != 0) continue;
    ASSERT_TRUE(h_.fs.Remove(path).ok());
  }
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_TRUE(h_.engine->recovery().index_rebuilt);
  EXPECT_EQ(h_.engine->Stats().series, 499u);
  for (int i = 0; i < 500; ++i) {
    const auto found = h_.Read(absl::StrCat("a.host", i, ".cpu"), kStartSec - 10, kStartSec);
    if (i == 7) {
      EXPECT_TRUE(found.empty());
    } else {
      EXPECT_EQ(found, (EngineHarness::Points{{kStartSec, static_cast<double>(i)}})) << i;
    }
  }
}

TEST_F(EngineTest, PrefixLimitsRefuseNewNamesAndNeverKnownOnes) {
  h_.options.series_limits = {{"pod.", 3, 0}};
  ASSERT_TRUE(h_.Open().ok());
  for (const char* name : {"pod.a", "pod.b", "pod.c"}) {
    ASSERT_TRUE(h_.Write({{name, {kStartSec, 1}}}).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(h_.Write({{"pod.d", {kStartSec, 1}}})));
  EXPECT_TRUE(h_.Write({{"host.d", {kStartSec, 1}}}).ok());
  // The count is there again after a restart, and room that a deletion makes is used.
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_TRUE(absl::IsResourceExhausted(h_.Write({{"pod.d", {kStartSec, 1}}})));
  EXPECT_TRUE(h_.Write({{"pod.a", {kStartSec - 10, 2}}}).ok());
  ASSERT_TRUE(h_.engine->Delete("pod.b").ok());
  EXPECT_TRUE(h_.Write({{"pod.d", {kStartSec, 1}}}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(h_.Write({{"pod.b", {kStartSec, 1}}})));
  EXPECT_EQ(h_.Read("pod.a", kStartSec - 20, kStartSec),
            (EngineHarness::Points{{kStartSec - 10, 2}, {kStartSec, 1}}));
}

TEST_F(EngineTest, APointForADeletedIdAsksForTheNameAgain) {
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.Write({{"a", {kStartSec, 1}}}).ok());
  const SeriesId id = h_.Find("a");
  ASSERT_TRUE(h_.engine->Delete("a").ok());
  WriteBatch batch;
  batch.series = {id};
  batch.timestamps_sec = {kStartSec};
  batch.values = {1};
  const WriteResult result = h_.engine->WriteAndWait(std::move(batch));
  ASSERT_TRUE(result.status.ok());
  ASSERT_EQ(result.refused.size(), 1u);
  EXPECT_EQ(result.refused[0].reason, RefusalReason::kSeriesGone);
}

TEST_F(EngineTest, ASeriesExpiresWhenNoArchiveHasAPointOfIt) {
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.Write({{"old", {kStartSec, 1}}, {"alive", {kStartSec, 1}}}).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  const SeriesId old_id = h_.Find("old");
  EXPECT_EQ(h_.engine->Stats().series, 2u);
  h_.clock.Advance(8 * 86400);
  // Pending points count.
  ASSERT_TRUE(h_.Write({{"alive", {h_.clock.NowSec(), 2}}}).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(h_.Find("old"), kNoSeries);
  EXPECT_NE(h_.Find("alive"), kNoSeries);
  ASSERT_TRUE(h_.engine->Flush().ok());  // frees its slots
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.engine->Stats().series, 1u);
  // It comes back as another series, without the old one's points.
  ASSERT_TRUE(h_.Write({{"old", {h_.clock.NowSec(), 3}}}).ok());
  EXPECT_NE(h_.Find("old"), old_id);
  EXPECT_EQ(h_.Read("old", h_.clock.NowSec() - 1200, h_.clock.NowSec()),
            (EngineHarness::Points{{h_.clock.NowSec(), 3}}));
}

TEST_F(EngineTest, ASeriesThatWaitsForItsFirstPointDoesNotExpire) {
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.Write({{"other", {kStartSec, 1}}}).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  const absl::StatusOr<SeriesId> id = h_.engine->Resolve("new");
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(h_.Find("new"), *id);
  ASSERT_TRUE(h_.engine->Flush().ok());  // no point came for a whole round
  EXPECT_EQ(h_.Find("new"), kNoSeries);
}

TEST_F(EngineTest, ASeriesThatOnlyACoarserArchiveHoldsStays) {
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.Write({{"rare.sum", {kStartSec, 1}}}).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  for (const int64_t hours : {2, 5, 100}) {
    h_.clock.Set(kStartSec + hours * 3600);
    ASSERT_TRUE(h_.Write({{"other", {h_.clock.NowSec(), 1}}}).ok());
    ASSERT_TRUE(h_.engine->Flush().ok());
    EXPECT_NE(h_.Find("rare.sum"), kNoSeries) << hours;
  }
  h_.clock.Set(kStartSec + 8 * 86400);
  ASSERT_TRUE(h_.Write({{"other", {h_.clock.NowSec(), 1}}}).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(h_.Find("rare.sum"), kNoSeries);
}

TEST_F(EngineTest, AClockThatIsFarAheadLetsNothingExpire) {
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.Write({{"a.sum", {kStartSec, 1}}}).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  h_.clock.Advance(400 * 86400);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_NE(h_.Find("a.sum"), kNoSeries);
  // Nor does a start: nothing has come since.
  ASSERT_TRUE(h_.Open().ok());
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_NE(h_.Find("a.sum"), kNoSeries);
  h_.clock.Set(kStartSec + 60);
  EXPECT_EQ(h_.Read("a.sum", kStartSec - 10, kStartSec + 60).size(), 1u);
}

TEST_F(EngineTest, ASparseSeriesThatOnlyTheFinestArchiveShowsStays) {
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.Write({{"sparse.max", {kStartSec - 3000, 1}}}).ok());
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_NE(h_.Find("sparse.max"), kNoSeries);
}

TEST_F(EngineTest, DeletesManySeriesAtOnce) {
  ASSERT_TRUE(h_.Open().ok());
  std::vector<std::pair<std::string, Point>> points;
  for (int i = 0; i < 5000; ++i) points.push_back({absl::StrCat("n.", i), {kStartSec, 1}});
  ASSERT_TRUE(h_.Write(points).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  std::vector<SeriesId> ids;
  for (int i = 0; i < 4500; ++i) ids.push_back(h_.Find(absl::StrCat("n.", i)));
  ids.push_back(ids.front());  // dead by then
  ASSERT_TRUE(h_.engine->DeleteSeries(ids).ok());
  EXPECT_EQ(h_.engine->Stats().series, 500u);
  h_.fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.engine->Stats().series, 500u);
  EXPECT_EQ(h_.Find("n.0"), kNoSeries);
  EXPECT_EQ(h_.Read("n.4999", kStartSec - 10, kStartSec).size(), 1u);
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(h_.engine->rings().SeriesIn({0, 0}).size(), 500u);
}

}  // namespace
}  // namespace shoal
