// Series that expire while points come: whatever the order, no acknowledged point is lost.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/committer.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

using Points = EngineHarness::Points;

// Runs a hook at the n-th time that the thread of its construction reads the clock: a place between
// two steps of what that thread is doing.
class HookClock : public Clock {
 public:
  explicit HookClock(const Clock* clock) : clock_(clock) {}
  int64_t NowSec() const override {
    if (std::this_thread::get_id() == thread_ && ++reads_ == at_) hook_();
    return clock_->NowSec();
  }
  std::chrono::steady_clock::time_point Monotonic() const override { return clock_->Monotonic(); }

  // Counts from 1; 0: never.
  void Set(int64_t at, std::function<void()> hook) {
    reads_ = 0;
    at_ = at;
    hook_ = std::move(hook);
  }
  int64_t reads() const { return reads_; }

 private:
  const Clock* const clock_;
  const std::thread::id thread_ = std::this_thread::get_id();
  mutable int64_t reads_ = 0;  // like the rest, not touched by other threads
  int64_t at_ = 0;
  std::function<void()> hook_;
};

enum class Then { kNothing, kFlush };

// A point of `name` comes at the n-th step of a look for expired series, and is flushed or not.
// False when the look has fewer steps.
bool PointDuringExpiry(const std::string& name, int64_t step, Then then, int* acknowledged) {
  EngineHarness h;
  HookClock clock(&h.clock);
  h.options.clock = &clock;
  EXPECT_TRUE(h.Open().ok());
  EXPECT_TRUE(h.Write({{"old.a", {kStartSec, 1}}, {"old.b", {kStartSec, 1}}}).ok());
  EXPECT_TRUE(h.engine->Flush().ok());
  const SeriesId series = h.Find(name);
  h.clock.Advance(8 * 86400);
  EXPECT_TRUE(h.Write({{"alive", {h.clock.NowSec(), 1}}}).ok());  // the time is really that
  clock.Set(0, nullptr);
  EXPECT_TRUE(h.engine->FlushPoints().ok());
  const int64_t of_the_round = clock.reads();

  const int64_t now_sec = h.clock.NowSec();
  std::optional<WriteResult> result;
  clock.Set(of_the_round + step, [&] {
    WriteBatch batch;
    batch.series = {series};
    batch.timestamps_sec = {now_sec};
    batch.values = {2};
    result = h.engine->WriteAndWait(std::move(batch));
    if (then == Then::kFlush) {
      EXPECT_TRUE(h.engine->FlushPoints().ok());
    }
  });
  EXPECT_TRUE(h.engine->Flush().ok());  // a round, and then the look
  clock.Set(0, nullptr);
  if (!result.has_value()) {
    EXPECT_EQ(h.Find("old.a"), kNoSeries);
    EXPECT_EQ(h.Find("old.b"), kNoSeries);
    h.engine.reset();  // before its clock
    return false;
  }
  EXPECT_TRUE(result->status.ok()) << result->status;
  const std::string what =
      absl::StrCat(name, " at step ", step, then == Then::kFlush ? ", flushed" : ", pending");
  for (const bool restarted : {false, true}) {
    if (restarted) {
      h.fs.CrashAfter(0);
      h.engine.reset();
      h.fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
      EXPECT_TRUE(h.Open().ok());
    }
    if (!result->refused.empty()) {  // it came too late, and its writer knows
      EXPECT_EQ(result->refused[0].reason, RefusalReason::kSeriesGone) << what;
      EXPECT_EQ(h.Find(name), kNoSeries) << what;
      continue;
    }
    EXPECT_EQ(h.Find(name), series) << what;
    EXPECT_EQ(h.Read(name, now_sec - 60, now_sec), (Points{{now_sec, 2}})) << what;
  }
  if (result->refused.empty()) ++*acknowledged;
  h.engine.reset();
  return true;
}

TEST(SeriesExpiry, APointAtAnyStepOfTheLookKeepsItsSeries) {
  for (const Then then : {Then::kNothing, Then::kFlush}) {
    // The first one's check is over while the other's goes on.
    for (const std::string name : {"old.a", "old.b"}) {
      int acknowledged = 0;
      int64_t step = 1;
      while (PointDuringExpiry(name, step, then, &acknowledged)) ++step;
      EXPECT_GE(step, 9) << "the clock is read once per series and read at least";
      EXPECT_EQ(acknowledged, step - 1);
    }
  }
}

TEST(SeriesExpiry, ASeriesWithPointsAheadOfTheClockOnlyStays) {
  for (const int64_t ahead_sec : {10, 590, 3600}) {
    EngineHarness h;
    // A finest archive that keeps less than lies ahead.
    h.schemas_text = "[all]\npattern = .*\nretentions = 10s:10m,60s:6h\n";
    ASSERT_TRUE(h.Open().ok());
    ASSERT_TRUE(h.Write({{"fast", {kStartSec + ahead_sec, 1}}}).ok());
    for (int round = 0; round < 3; ++round) ASSERT_TRUE(h.engine->Flush().ok());
    EXPECT_NE(h.Find("fast"), kNoSeries) << ahead_sec;
    h.clock.Advance(7 * 3600);
    ASSERT_TRUE(h.Write({{"other", {h.clock.NowSec(), 1}}}).ok());
    ASSERT_TRUE(h.engine->Flush().ok());
    EXPECT_EQ(h.Find("fast"), kNoSeries) << ahead_sec;
  }
}

// A deletion that the log took, though not all of the group: what comes later must not go with it.
TEST(SeriesExpiry, ADeletionThatFailedTakesNoLaterPointWithIt) {
  int failed = 0;
  for (int64_t every = 1; every <= 6; ++every) {
    EngineHarness h;
    h.options.wal_segment_bytes = 1;  // each record is in a synced segment of its own
    ASSERT_TRUE(h.Open().ok());
    ASSERT_TRUE(h.Write({{"a", {kStartSec - 10, 1}}, {"b", {kStartSec - 10, 1}}}).ok());
    const std::vector<SeriesId> series = {h.Find("a"), h.Find("b")};
    h.fs.FailEvery(FaultFileSystem::Fault::kWrite, every, absl::UnavailableError("EIO"), "/wal/");
    const absl::Status deleted = h.engine->DeleteSeries(series);
    h.fs.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
    if (deleted.ok()) continue;
    ++failed;
    while (h.engine->Stats().read_only) std::this_thread::yield();
    ASSERT_TRUE(h.Write({{"a", {kStartSec, 2}}, {"b", {kStartSec, 2}}}).ok());
    h.fs.CrashAfter(0);
    h.engine.reset();
    h.fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
    // Then once more, from the ring files.
    for (int start = 0; start < 2; ++start) {
      ASSERT_TRUE(h.Open().ok());
      for (const std::string name : {"a", "b"}) {
        EXPECT_EQ(h.Read(name, kStartSec - 1, kStartSec), (Points{{kStartSec, 2}}))
            << name << ", every write number " << every << " failed, start " << start;
      }
      ASSERT_TRUE(h.engine->Flush().ok());
    }
  }
  EXPECT_GE(failed, 2);
}

class IdleDeletionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel("error").IgnoreError();
    MetricIndexOptions index_options;
    index_options.fs = &fs_;
    index_options.dir = "/index";
    index_options.log_dir = "/series-log";
    index_ = *MetricIndex::Open(std::move(index_options));
    SegmentedLogOptions log;
    log.fs = &fs_;
    log.dir = "/wal";
    wal_ = *SegmentedLog::Open(std::move(log));
    Committer::Options options;
    options.fs = &fs_;
    options.clock = &clock_;
    options.write_buffer_bytes_max = 64 << 20;
    options.wal_bytes_max = 64 << 20;
    committer_ =
        std::make_unique<Committer>(std::move(options), wal_.get(), index_.get(), &buffer_);
    SeriesSchema schema;
    schema.archives = {{10, 360}};
    bool is_new = false;
    const SchemaId id = *index_->InternSchema(schema, &is_new);
    busy_ = index_->Create("busy", id);
    idle_ = index_->Create("idle", id);
  }
  void TearDown() override {
    committer_->Stop();  // finishes what is queued
    EXPECT_EQ(acknowledged_, 1);
  }
  void Write(SeriesId series) {
    WriteBatch batch;
    batch.series = {series};
    batch.timestamps_sec = {kStartSec};
    batch.values = {1};
    committer_->Write(std::move(batch), [this](WriteResult result) {
      if (result.status.ok() && result.refused.empty()) ++acknowledged_;
    });
  }
  void ExpectOnlyIdleGoes(uint64_t generation) {
    const absl::StatusOr<size_t> deleted = committer_->DeleteIdle({{busy_, idle_}}, generation);
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    EXPECT_EQ(*deleted, 1u);
    EXPECT_EQ(index_->Find("busy"), busy_);
    EXPECT_EQ(index_->Find("idle"), kNoSeries);
  }

  FaultFileSystem fs_;
  ManualClock clock_{kStartSec};
  std::unique_ptr<MetricIndex> index_;
  std::unique_ptr<SegmentedLog> wal_;
  WriteBuffer buffer_{[](SeriesId) { return 10; }};
  SeriesId busy_ = kNoSeries;
  SeriesId idle_ = kNoSeries;
  std::atomic<int> acknowledged_{0};
  std::unique_ptr<Committer> committer_;
};

TEST_F(IdleDeletionTest, APointInTheSameGroupKeepsTheSeries) {
  // Before the commit thread is there, so that one group takes both.
  Write(busy_);
  std::thread deletion([this] { ExpectOnlyIdleGoes(buffer_.generation()); });
  while (committer_->deletions_waiting() < 2) std::this_thread::yield();
  committer_->Start();
  deletion.join();
}

TEST_F(IdleDeletionTest, APendingPointKeepsTheSeries) {
  committer_->Start();
  Write(busy_);
  while (acknowledged_ == 0) std::this_thread::yield();
  ExpectOnlyIdleGoes(buffer_.generation());
}

TEST_F(IdleDeletionTest, APointThatIsBeingFlushedKeepsTheSeries) {
  committer_->Start();
  Write(busy_);
  while (acknowledged_ == 0) std::this_thread::yield();
  LogPosition position;
  std::vector<Committer::Deleted> deleted;
  ASSERT_TRUE(committer_->BeginFlush(&position, &deleted).ok());
  ExpectOnlyIdleGoes(buffer_.generation());
}

TEST_F(IdleDeletionTest, AFlushSinceTheLookKeepsEverySeries) {
  committer_->Start();
  const uint64_t generation = buffer_.generation();
  Write(busy_);
  while (acknowledged_ == 0) std::this_thread::yield();
  LogPosition position;
  std::vector<Committer::Deleted> deleted;
  ASSERT_TRUE(committer_->BeginFlush(&position, &deleted).ok());
  buffer_.EndFlush();  // its points would be in the rings now
  EXPECT_EQ(*committer_->DeleteIdle({{busy_, idle_}}, generation), 0u);
  EXPECT_NE(index_->Find("busy"), kNoSeries);
  EXPECT_EQ(*committer_->DeleteIdle({{idle_}}, buffer_.generation()), 1u);
  EXPECT_EQ(index_->Find("idle"), kNoSeries);
}

}  // namespace
}  // namespace shoal
