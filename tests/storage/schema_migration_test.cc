// Series that were created under other rules, after a start with new ones: history, pending points
// and slots, wherever the machine stops.
#include "storage/schema_migration.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "storage/late_points.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

using Points = EngineHarness::Points;
using Unsynced = FaultFileSystem::Unsynced;

constexpr const char* kName = "a.b";

std::string Rules(const std::string& retentions) {
  return absl::StrCat("[all]\npattern = .*\nretentions = ", retentions, "\n");
}
std::string Aggregation(const std::string& method, const std::string& more = "") {
  return absl::StrCat("[all]\npattern = .*\nxFilesFactor = 0.5\naggregationMethod = ", method, "\n",
                      more);
}
double ValueAt(int64_t time) { return static_cast<double>(time / 10 % 997); }

// Where slots of the series are; one schema, once all is done.
std::set<SchemaId> SchemasOf(const EngineHarness& h, SeriesId series) {
  std::set<SchemaId> schemas;
  for (SchemaId schema = 0; schema < 4; ++schema) {
    for (uint8_t archive = 0; archive < 3; ++archive) {
      const std::vector<SeriesId> in = h.engine->rings().SeriesIn({schema, archive});
      if (std::find(in.begin(), in.end(), series) != in.end()) schemas.insert(schema);
    }
  }
  return schemas;
}

class SchemaMigrationTest : public ::testing::Test {
 protected:
  SchemaMigrationTest() { h_.options.metrics = &metrics_; }

  uint64_t Migrated() { return metrics_.AddCounter("shoal_node_migrations_total", "")->Value(); }

  // `hours` of points every `step` seconds up to now, flushed as they come.
  void Fill(const std::string& retentions, int64_t hours, int64_t step,
            const std::string& aggregations = Aggregation("average")) {
    h_.schemas_text = Rules(retentions);
    h_.aggregations_text = aggregations;
    ASSERT_TRUE(h_.Open().ok());
    for (int64_t i = 0; i < hours * 6; ++i) {
      std::vector<std::pair<std::string, Point>> points;
      for (int64_t t = 0; t < 600; t += step) {
        const int64_t time = h_.clock.NowSec() + t;
        points.push_back({kName, {time, ValueAt(time)}});
      }
      h_.clock.Advance(600);
      ASSERT_TRUE(h_.Write(points).ok());
      if (i % 2 == 0) {
        ASSERT_TRUE(h_.engine->Flush().ok());
      }
    }
    ASSERT_TRUE(h_.engine->Flush().ok());
    id_ = h_.Find(kName);
  }
  // A start with other rules, until all is done.
  void Migrate(const std::string& retentions,
               const std::string& aggregations = Aggregation("average")) {
    const uint64_t before = Migrated();
    h_.schemas_text = Rules(retentions);
    h_.aggregations_text = aggregations;
    ASSERT_TRUE(h_.Open().ok());
    ASSERT_TRUE(h_.engine->Flush().ok());
    ASSERT_TRUE(h_.engine->Flush().ok());
    EXPECT_EQ(Migrated(), before + 1);
    EXPECT_EQ(h_.Find(kName), id_);
    EXPECT_EQ(SchemasOf(h_, id_), std::set<SchemaId>{1});
    EXPECT_TRUE(h_.engine->rings().Verify().empty());
  }
  Points Past(int64_t sec, int64_t step) {
    int64_t found = 0;
    const int64_t now = h_.clock.NowSec();
    const Points points = h_.Read(kName, now - sec, now, &found);
    EXPECT_EQ(found, step);
    return points;
  }
  static Points After(const Points& points, int64_t time) {
    return Points(points.upper_bound(time), points.end());
  }
  static Points UpTo(const Points& points, int64_t time) {
    return Points(points.begin(), points.upper_bound(time));
  }
  // The same after a restart, which may hold on to nothing in memory.
  template <typename F>
  void NowAndAfterRestart(F check) {
    check();
    ASSERT_TRUE(h_.Open().ok());
    check();
    ASSERT_TRUE(h_.engine->Flush().ok());
    check();
  }

  MetricRegistry metrics_;
  EngineHarness h_;
  SeriesId id_ = kNoSeries;
};

TEST_F(SchemaMigrationTest, LongerRetentionsKeepEveryArchive) {
  Fill("10s:1h,60s:6h", 5, 10);
  const Points fine = Past(3600 - 10, 10);
  const Points coarse = Past(5 * 3600, 60);
  ASSERT_EQ(fine.size(), 358u);
  ASSERT_EQ(coarse.size(), 299u);
  Migrate("10s:2h,60s:1d");
  const int64_t now = h_.clock.NowSec();
  NowAndAfterRestart([&] {
    EXPECT_EQ(Past(5 * 3600, 60), coarse);
    const Points longer = Past(7200 - 60, 10);
    EXPECT_EQ(After(longer, now - 3590), fine);
    // What was coarse already keeps time and value.
    EXPECT_EQ(UpTo(longer, now - 3660), UpTo(After(coarse, now - 7200 + 60), now - 3660));
  });
}

TEST_F(SchemaMigrationTest, ShorterRetentionsKeepWhatTheyHold) {
  Fill("10s:1h,60s:6h", 5, 10);
  const int64_t now = h_.clock.NowSec();
  const Points fine = After(Past(3590, 10), now - 1790);
  const Points coarse = After(Past(5 * 3600, 60), now - 3 * 3600 + 60);
  Migrate("10s:30m,60s:3h");
  NowAndAfterRestart([&] {
    EXPECT_EQ(Past(1790, 10), fine);
    EXPECT_EQ(Past(3 * 3600 - 60, 60), coarse);
  });
}

TEST_F(SchemaMigrationTest, ACoarserStepIsRolledUp) {
  Fill("10s:1h,60s:6h", 5, 10);
  const Points coarse = Past(5 * 3600, 60);
  Migrate("60s:6h,600s:7d");
  NowAndAfterRestart([&] {
    EXPECT_EQ(Past(5 * 3600, 60), coarse);
    const Points coarser = Past(7 * 3600, 600);
    ASSERT_GE(coarser.size(), 29u);
    for (const auto& [time, value] : coarser) {
      double sum = 0;
      for (int64_t t = time; t < time + 600; t += 10) sum += ValueAt(t);
      EXPECT_DOUBLE_EQ(value, sum / 60) << time;
    }
  });
}

TEST_F(SchemaMigrationTest, SparsePointsStayWhenTheirStepGetsCoarser) {
  // One point a minute: less than the xFilesFactor asks of a step of an archive that is rolled up.
  Fill("10s:6h", 5, 60);
  Migrate("60s:6h,600s:7d");
  NowAndAfterRestart([&] {
    const Points points = Past(5 * 3600 - 60, 60);
    EXPECT_EQ(points.size(), 298u);
    for (const auto& [time, value] : points) EXPECT_EQ(value, ValueAt(time)) << time;
  });
}

TEST_F(SchemaMigrationTest, AFinerStepInventsNothing) {
  Fill("60s:6h,600s:7d", 12, 60);
  const Points fine = Past(6 * 3600 - 60, 60);
  const Points coarse = Past(12 * 3600, 600);
  Migrate("10s:6h,60s:1d");
  const int64_t now = h_.clock.NowSec();
  NowAndAfterRestart([&] {
    EXPECT_EQ(Past(6 * 3600 - 60, 10), fine);
    const Points minutes = Past(12 * 3600, 60);
    EXPECT_EQ(After(minutes, now - 6 * 3600 + 60), fine);
    EXPECT_EQ(UpTo(minutes, now - 6 * 3600 - 600), UpTo(coarse, now - 6 * 3600 - 600));
  });
}

TEST_F(SchemaMigrationTest, StepsThatDoNotDivideAreRegrouped) {
  Fill("10s:6h", 2, 10);
  Migrate("15s:6h");
  int64_t checked = 0;
  for (const auto& [time, value] : Past(7000, 15)) {
    double sum = 0;
    int count = 0;
    for (int64_t t = AlignUp(time, 10); t < time + 15; t += 10, ++count) sum += ValueAt(t);
    EXPECT_DOUBLE_EQ(value, sum / count) << time;
    ++checked;
  }
  EXPECT_GE(checked, 460);
}

TEST_F(SchemaMigrationTest, AnotherMethodIsComputedFromThePointsThatAreLeft) {
  Fill("10s:1h,60s:6h", 5, 10);
  const Points coarse = Past(5 * 3600, 60);
  Migrate("10s:1h,60s:6h", Aggregation("max"));
  const int64_t now = h_.clock.NowSec();
  NowAndAfterRestart([&] {
    for (const auto& [time, value] : Past(5 * 3600, 60)) {
      double max = 0;
      for (int64_t t = time; t < time + 60; t += 10) max = std::max(max, ValueAt(t));
      EXPECT_EQ(value, time >= now - 3600 ? max : coarse.at(time)) << time;
    }
    EXPECT_EQ(Past(5 * 3600, 60).size(), coarse.size());
  });
}

TEST_F(SchemaMigrationTest, SumsAreTakenOverFromAverages) {
  // An average is kept as sum and count: nothing is lost.
  Fill("10s:1h,60s:6h", 5, 10);
  Migrate("10s:1h,60s:6h", Aggregation("sum"));
  NowAndAfterRestart([&] {
    const Points sums = Past(5 * 3600, 60);
    EXPECT_EQ(sums.size(), 299u);
    for (const auto& [time, value] : sums) {
      double sum = 0;
      for (int64_t t = time; t < time + 60; t += 10) sum += ValueAt(t);
      EXPECT_EQ(value, sum) << time;
    }
  });
}

TEST_F(SchemaMigrationTest, FurtherAggregatesBeginWithThePointsThatAreLeft) {
  Fill("10s:1h,60s:6h", 5, 10);
  const Points coarse = Past(5 * 3600, 60);
  Migrate("10s:1h,60s:6h", Aggregation("average", "aggregates = max\n"));
  EXPECT_EQ(Past(5 * 3600, 60), coarse);
  const int64_t now = h_.clock.NowSec();
  Series series;
  FetchRange range{now - 5 * 3600, now, now};
  range.aggregate = AggregateSpec{AggregationMethod::kMax, 0};
  ASSERT_TRUE(h_.engine->Read(id_, range, &series).ok());
  for (size_t i = 0; i < series.values.size(); ++i) {
    const int64_t time = series.start_sec + static_cast<int64_t>(i) * series.step_sec;
    if (time >= now || std::isnan(series.values[i])) continue;
    double max = 0;
    for (int64_t t = time; t < time + 60; t += 10) max = std::max(max, ValueAt(t));
    EXPECT_EQ(series.values[i], time >= now - 3600 ? max : coarse.at(time)) << time;
  }
}

TEST_F(SchemaMigrationTest, PointsThatArePendingMoveAlong) {
  Fill("10s:1h,60s:6h", 3, 10);
  h_.schemas_text = Rules("60s:6h,600s:7d");
  ASSERT_TRUE(h_.Open().ok());
  const int64_t now = h_.clock.NowSec();
  // In the log, in the flushing generation, and in the active one when the schema changes.
  ASSERT_TRUE(h_.Write({{kName, {now, 1}}, {kName, {now - 1800, 2}}}).ok());
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  const SeriesId before = h_.Find(kName);
  h_.clock.Advance(120);
  ASSERT_TRUE(
      h_.Write({{kName, {now + 60, 3}}, {kName, {now + 70, 4}}, {kName, {now + 110, 5}}}).ok());
  for (int i = 0; i < 100 && Migrated() == 0; ++i) {
    // Points arrive all the while; the stream's id stays good.
    WriteBatch batch;
    batch.series = {before};
    batch.timestamps_sec = {now + 100};
    batch.values = {static_cast<double>(100 + i)};
    const WriteResult result = h_.engine->WriteAndWait(batch);
    ASSERT_TRUE(result.status.ok() && result.refused.empty());
    ASSERT_TRUE(h_.engine->Flush().ok());
    ASSERT_TRUE(h_.Write({{kName, {now + 120, 6.0 + i}}}).ok());
  }
  ASSERT_EQ(Migrated(), 1u);
  NowAndAfterRestart([&] {
    const Points points = Past(3 * 3600, 60);
    EXPECT_EQ(points.count(now), 1u);
    EXPECT_EQ(points.count(now + 60), 1u);
    EXPECT_GE(points.at(now + 120), 6);
    // The late one counts in the average of its minute, as one of six.
    double sum = 2;
    for (int64_t t = now - 1790; t < now - 1740; t += 10) sum += ValueAt(t);
    EXPECT_DOUBLE_EQ(points.at(now - 1800), sum / 6);
  });
}

TEST_F(SchemaMigrationTest, PendingPointsAreAlignedToTheNewStep) {
  Fill("10s:6h", 1, 10);
  h_.schemas_text = Rules("60s:6h");
  ASSERT_TRUE(h_.Open().ok());
  const int64_t now = h_.clock.NowSec();
  h_.clock.Advance(120);
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  // Not in a round of its own: what Flush below does first takes these.
  ASSERT_TRUE(h_.Write({{kName, {now, 1}}, {kName, {now + 10, 2}}, {kName, {now + 50, 3}}}).ok());
  for (int i = 0; i < 600 && Migrated() == 0; ++i) {  // the flusher does it by itself
    Mutex mu;
    CondVar never;
    MutexLock lock(&mu);
    never.WaitFor(&mu, std::chrono::milliseconds(20));
  }
  ASSERT_EQ(Migrated(), 1u);
  EXPECT_EQ(h_.engine->Stats().write_buffer_points, 1u);
  NowAndAfterRestart([&] { EXPECT_EQ(Past(7200, 60).at(now), 3); });
}

TEST_F(SchemaMigrationTest, ReadersSeeAllPointsAllTheWhile) {
  Fill("10s:1h,60s:6h", 2, 10);
  const int64_t now = h_.clock.NowSec();
  const Points fine = Past(3590, 10);
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    h_.schemas_text = Rules(round % 2 == 0 ? "10s:2h,60s:1d" : "10s:1h,60s:6h");
    ASSERT_TRUE(h_.Open().ok());
    std::atomic<bool> stop{false};
    std::thread reader([&] {
      while (!stop && !HasFailure()) EXPECT_EQ(h_.Read(kName, now - 3590, now), fine);
    });
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(h_.engine->Flush().ok());
    stop = true;
    reader.join();
    EXPECT_EQ(SchemasOf(h_, id_).size(), 1u);
  }
  EXPECT_EQ(Migrated(), 20u);
}

TEST_F(SchemaMigrationTest, ADeletedSeriesLeavesNoSlots) {
  Fill("10s:1h,60s:6h", 2, 10);
  Migrate("10s:2h,60s:6h");
  ASSERT_TRUE(h_.engine->Delete(kName).ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_TRUE(SchemasOf(h_, id_).empty());
  ASSERT_TRUE(h_.Open().ok());
  EXPECT_EQ(h_.Find(kName), kNoSeries);
  EXPECT_TRUE(SchemasOf(h_, id_).empty());
}

TEST_F(SchemaMigrationTest, StaysAsItIsWhenNotWanted) {
  Fill("10s:1h,60s:6h", 2, 10);
  h_.options.migrate_schemas = false;
  h_.schemas_text = Rules("10s:2h,60s:6h");
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.engine->Flush().ok());
  EXPECT_EQ(SchemasOf(h_, id_), std::set<SchemaId>{0});
}

TEST_F(SchemaMigrationTest, AFailingLogCostsNothing) {
  Fill("10s:1h,60s:6h", 2, 10);
  const Points fine = Past(3590, 10);
  h_.schemas_text = Rules("10s:2h,60s:1d");
  ASSERT_TRUE(h_.Open().ok());
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  h_.fs.FailEvery(FaultFileSystem::Fault::kSync, 1, absl::UnavailableError("no"), "/wal/");
  h_.engine->Flush().IgnoreError();
  h_.engine->Flush().IgnoreError();
  EXPECT_EQ(Migrated(), 0u);
  h_.fs.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  // A kill then leaves the record in the log, or the power cut takes it; the round that follows
  // must keep what the record needs until it has moved the checkpoint.
  std::vector<std::unique_ptr<FaultFileSystem>> states;
  Mutex mu;
  h_.fs.VisitStates(h_.fs.mutations(), 2, [&](int64_t, std::unique_ptr<FaultFileSystem> state) {
    MutexLock lock(&mu);
    states.push_back(std::move(state));
  });
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  h_.fs.VisitStates(-1, 1, nullptr);
  ASSERT_GE(states.size(), 5u);
  const int64_t now = h_.clock.NowSec();
  for (const auto& state : states) {
    for (const Unsynced unsynced : {Unsynced::kKeep, Unsynced::kDrop, Unsynced::kTear}) {
      const auto fs = state->Copy();
      fs->PowerLoss(unsynced, 7);
      EngineHarness reopened;
      reopened.options.fs = fs.get();
      reopened.schemas_text = h_.schemas_text;
      reopened.aggregations_text = h_.aggregations_text;
      reopened.clock.Set(now);
      ASSERT_TRUE(reopened.Open().ok());
      for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(reopened.Read(kName, now - 3590, now), fine) << static_cast<int>(unsynced);
        EXPECT_TRUE(reopened.engine->Flush().ok());
      }
      EXPECT_EQ(After(reopened.Read(kName, now - 7200, now), now - 3590), fine);
      fs->CrashAfter(0);
      reopened.engine.reset();
      if (HasFailure()) return;
    }
  }
}

// One place where the machine stops during a migration, and the points that are acknowledged then.
struct Stop {
  int64_t mutation = 0;
  std::unique_ptr<FaultFileSystem> state;
  std::map<std::string, Points> acked;
  int64_t now_sec = 0;
};

class Crash {
 public:
  explicit Crash(EngineHarness* h) : h_(h) {}

  void Run(const std::string& from, const std::string& to, int64_t every) {
    h_->schemas_text = Rules(from);
    h_->aggregations_text = Aggregation("average");
    ASSERT_TRUE(h_->Open().ok());
    for (int i = 0; i < 6; ++i) {
      for (int name = 0; name < 5; ++name) {
        std::vector<std::pair<std::string, Point>> points;
        for (int64_t t = 0; t < 300; t += 10) points.push_back({Name(name), At(t)});
        Write(points);
      }
      h_->clock.Advance(300);
      Flush();
    }
    std::vector<Stop> stops;
    Mutex mu;
    h_->schemas_text = Rules(to);
    h_->fs.VisitStates(h_->fs.mutations(), every,
                       [&](int64_t k, std::unique_ptr<FaultFileSystem> state) {
                         Stop stop{k, std::move(state), Acked(), h_->clock.NowSec()};
                         MutexLock lock(&mu);
                         stops.push_back(std::move(stop));
                       });
    ASSERT_TRUE(h_->Open().ok());
    for (int i = 0; i < 6; ++i) {
      Write({{Name(i), At(-40)}, {Name(i), At(0)}, {Name(0), At(-600 + 10 * i)}});
      Flush();
      if (i == 3) {
        ASSERT_TRUE(h_->engine->Delete(Name(4)).ok());
        MutexLock lock(&mu_);
        acked_.erase(Name(4));
      }
      h_->clock.Advance(10);
    }
    h_->fs.VisitStates(-1, 1, nullptr);
    Check(Acked(), h_, "no crash");
    int64_t second = 0;
    for (const Stop& stop : stops) {
      for (const Unsynced unsynced : {Unsynced::kDrop, Unsynced::kTear, Unsynced::kKeep}) {
        const std::string context =
            absl::StrCat("stopped at ", stop.mutation, " mode ", static_cast<int>(unsynced));
        const auto fs = stop.state->Copy();
        fs->PowerLoss(unsynced, static_cast<uint64_t>(stop.mutation));
        EngineHarness reopened;
        reopened.options.fs = fs.get();
        reopened.schemas_text = h_->schemas_text;
        reopened.aggregations_text = h_->aggregations_text;
        reopened.options.wal_sync = h_->options.wal_sync;
        reopened.clock.Set(stop.now_sec);
        // Once more, somewhere in the start or in what is left to do.
        fs->CrashAfter(second++ * 37 % 150);
        if (reopened.Open().ok()) reopened.engine->Flush().IgnoreError();
        fs->CrashAfter(0);
        reopened.engine.reset();
        fs->PowerLoss(unsynced, static_cast<uint64_t>(stop.mutation) + 1);
        const absl::Status opened = reopened.Open();
        ASSERT_TRUE(opened.ok()) << context << ": " << opened;
        Check(stop.acked, &reopened, context);
        for (int i = 0; i < 2; ++i) ASSERT_TRUE(reopened.engine->Flush().ok()) << context;
        Check(stop.acked, &reopened, context + " flushed");
        if (unsynced != Unsynced::kTear && h_->options.wal_sync == WalSync::kAlways)
          CheckSlots(&reopened, context);
        EXPECT_TRUE(reopened.engine->rings().Verify().empty()) << context;
        fs->CrashAfter(0);
        reopened.engine.reset();
        if (::testing::Test::HasFailure()) return;
      }
    }
    std::printf("stopped at %d places\n", static_cast<int>(stops.size()));
    EXPECT_GE(stops.size(), 20u);
  }

 private:
  static std::string Name(int i) { return absl::StrCat("crash.", i % 5); }
  Point At(int64_t after) const {
    const int64_t time = AlignDown(h_->clock.NowSec() + after, 10);
    return {time, ValueAt(time)};
  }
  void Write(const std::vector<std::pair<std::string, Point>>& points) {
    ASSERT_TRUE(h_->Write(points).ok());
    MutexLock lock(&mu_);
    auto& to = h_->options.wal_sync == WalSync::kAlways ? acked_ : unflushed_;
    for (const auto& [name, point] : points) to[name][point.timestamp_sec] = point.value;
  }
  void Flush() {
    ASSERT_TRUE(h_->engine->Flush().ok());
    MutexLock lock(&mu_);
    for (const auto& [name, points] : unflushed_) acked_[name].insert(points.begin(), points.end());
    unflushed_.clear();
  }
  std::map<std::string, Points> Acked() {
    MutexLock lock(&mu_);
    return acked_;
  }
  // Every acknowledged point is there and none is that was never sent; in a schema with a longer
  // step, its step.
  void Check(const std::map<std::string, Points>& acked, EngineHarness* h,
             const std::string& context) {
    const int64_t now = h->clock.NowSec();
    for (const auto& [name, points] : acked) {
      if (name == Name(4)) continue;  // it may be deleted by then
      int64_t step = 0;
      const Points found = h->Read(name, now - 3000, now, &step);
      for (const auto& [time, value] : points) {
        const auto it = found.find(AlignDown(time, step));
        ASSERT_TRUE(time >= now || it != found.end())
            << context << ": lost " << name << " " << time;
        if (step == 10 && it != found.end()) {
          ASSERT_EQ(it->second, value) << context << " " << time;
        }
      }
      for (const auto& [time, value] : found) {
        ASSERT_NEAR(value, ValueAt(time), step == 10 ? 0 : static_cast<double>(step) / 10)
            << context << ": invented " << name << " " << time;
      }
    }
  }
  void CheckSlots(EngineHarness* h, const std::string& context) {
    size_t alive = 0;
    const auto check = [&](absl::string_view name, SeriesId id) {
      ++alive;
      EXPECT_EQ(SchemasOf(*h, id), std::set<SchemaId>{1}) << context << ": " << name;
    };
    ASSERT_TRUE(h->engine->ListNames(check).ok());
    std::set<SeriesId> with_slots;
    for (SeriesId id = 0; id < 16; ++id) {
      if (!SchemasOf(*h, id).empty()) with_slots.insert(id);
    }
    std::string slots;
    for (const SeriesId id : with_slots) {
      for (const SchemaId schema : SchemasOf(*h, id)) absl::StrAppend(&slots, " ", id, ":", schema);
    }
    EXPECT_EQ(with_slots.size(), alive)
        << context << ": slots by series and schema" << slots << "; damaged records "
        << h->engine->recovery().damaged_records;
  }

  EngineHarness* const h_;
  Mutex mu_;
  std::map<std::string, Points> acked_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Points> unflushed_ ABSL_GUARDED_BY(mu_);  // without a sync of the log
};

// SHOAL_CRASH_STEP=1 visits every change of the disk; the default a sample.
int64_t CrashStep() {
  int64_t step = 0;
  const char* const text = std::getenv("SHOAL_CRASH_STEP");
  return text != nullptr && absl::SimpleAtoi(text, &step) && step > 0 ? step : 7;
}

TEST(SchemaMigrationCrashTest, EveryPointSurvivesWithLongerRetentions) {
  EngineHarness h;
  Crash(&h).Run("10s:1h,60s:6h", "10s:2h,60s:1d", CrashStep());
}

TEST(SchemaMigrationCrashTest, FlushedPointsSurviveWithoutASyncOfTheLog) {
  EngineHarness h;
  h.options.wal_sync = WalSync::kNever;
  Crash(&h).Run("10s:1h,60s:6h", "10s:2h,60s:1d", CrashStep());
}

TEST(SchemaMigrationCrashTest, EveryPointSurvivesWithACoarserStep) {
  EngineHarness h;
  Crash(&h).Run("10s:1h,60s:6h", "60s:6h,600s:7d", CrashStep());
}

}  // namespace
}  // namespace shoal
