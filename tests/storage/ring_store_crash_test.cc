// Crashes the ring store at every operation of a script and compares what is left with what was
// acknowledged.
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/metric/series.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/ring/ring_store.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

constexpr int64_t kStep = 10;
constexpr int64_t kT0 = 1'700'000'000 / 320 * 320;
constexpr ArchiveKey kFine{0, 0};
constexpr SeriesId kSeries = 12;

absl::StatusOr<std::unique_ptr<RingStore>> OpenStore(FaultFileSystem* fs,
                                                     MetricRegistry* metrics = nullptr) {
  SeriesSchema schema;
  schema.archives = {{kStep, 64}, {60, 640}};
  RingStoreOptions options;
  options.fs = fs;
  options.metrics = metrics;
  options.dir = "/data/ring";
  options.stripe_steps = 16;
  options.stripe_bytes_max = 700;
  options.open_files_max = 2;  // of about ten: closed and opened all the time
  return RingStore::Open(options, {schema});
}

struct State {
  // What may be read of a step: an acknowledged write leaves its value; one that failed adds its.
  std::map<std::pair<SeriesId, int64_t>, std::set<double>> possible;
  // Steps with an acknowledged write: they must not be absent.
  std::set<std::pair<SeriesId, int64_t>> acked;
  std::set<SeriesId> maybe_freed;
};

// Rounds of writes that move on in time for more than a lap, come late, promote, find a smaller
// class, free, and give back what has expired. Stops at the first error.
void RunScript(RingStore* store, State* state) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20; ++round) {
    const int64_t now = kT0 + round * 7 * kStep;
    std::vector<std::vector<Point>> points(kSeries);
    std::vector<SeriesPoints> batch;
    for (SeriesId s = 0; s < kSeries; ++s) {
      for (int i = 9; i >= 0; --i) {
        const bool noisy = (round > 6 && s % 3 == 0) || s % 5 == 0 || (round < 6 && s % 4 == 1);
        const double value = noisy ? std::sqrt(static_cast<double>(random() >> 6))
                                   : static_cast<double>(random() % 50);
        points[s].push_back({now - i * kStep, value});
      }
      batch.push_back({s, points[s]});
    }
    const absl::Status status = store->Write(kFine, batch);
    for (SeriesId s = 0; s < kSeries; ++s) {
      for (const Point& point : points[s]) {
        std::set<double>& values = state->possible[{s, point.timestamp_sec}];
        if (status.ok()) values.clear();
        values.insert(point.value);
        if (status.ok()) state->acked.insert({s, point.timestamp_sec});
      }
    }
    if (!status.ok()) return;
    if (!store->PunchExpired(now).ok()) return;
    if (round == 9) {
      const absl::Status freed = store->Free(0, {4});
      state->maybe_freed.insert(4);
      if (!freed.ok()) return;
    }
  }
}

void CheckState(const RingStore& store, const State& state, const std::string& what) {
  int64_t newest = 0;
  for (const auto& [key, values] : state.possible) newest = std::max(newest, key.second);
  for (const auto& [key, values] : state.possible) {
    if (key.second <= newest - 64 * kStep) continue;  // expired
    double got = 0;
    ASSERT_TRUE(store.Read(kFine, key.first, key.second, absl::MakeSpan(&got, 1)).ok()) << what;
    if (std::isnan(got)) {
      ASSERT_TRUE(!state.acked.contains(key) || state.maybe_freed.contains(key.first))
          << what << ": lost series " << key.first << " at " << key.second - kT0;
      continue;
    }
    ASSERT_TRUE(values.contains(got))
        << what << ": series " << key.first << " has " << got << " at " << key.second - kT0;
  }
}

TEST(RingStoreCrash, CrashAtEveryOperationLosesNothingAcknowledgedAndInventsNothing) {
  int64_t operations = 0;
  {
    FaultFileSystem fs;
    MetricRegistry metrics;
    auto store = OpenStore(&fs, &metrics);
    ASSERT_TRUE(store.ok());
    State state;
    RunScript(store->get(), &state);
    EXPECT_THAT((*store)->Verify(), ::testing::IsEmpty());
    CheckState(**store, state, "no crash");
    for (const std::string name : {"promotions", "class_changes", "stripes_punched"})
      EXPECT_GT(metrics.AddCounter("shoal_ring_" + name + "_total", "")->Value(), 0u) << name;
    store->reset();
    operations = fs.mutations();
  }
  ASSERT_GT(operations, 100);
  using Unsynced = FaultFileSystem::Unsynced;
  for (int64_t crash_at = 0; crash_at <= operations; ++crash_at) {
    for (const Unsynced unsynced : {Unsynced::kDrop, Unsynced::kKeep, Unsynced::kTear}) {
      const std::string what = "crash at " + std::to_string(crash_at) + " unsynced " +
                               std::to_string(static_cast<int>(unsynced));
      FaultFileSystem fs;
      fs.CrashAfter(crash_at);
      State state;
      if (auto store = OpenStore(&fs); store.ok()) RunScript(store->get(), &state);
      fs.PowerLoss(unsynced, static_cast<uint64_t>(crash_at) + 1);

      // Crash again in the middle of recovery, then let it finish.
      fs.CrashAfter(crash_at % 5);
      OpenStore(&fs).IgnoreError();
      fs.PowerLoss(unsynced, static_cast<uint64_t>(crash_at) + 99);
      auto store = OpenStore(&fs);
      ASSERT_TRUE(store.ok()) << what << ": " << store.status();
      ASSERT_THAT((*store)->Verify(), ::testing::IsEmpty()) << what;
      CheckState(**store, state, what);
      if (HasFatalFailure()) return;
      // And it goes on from there.
      const std::vector<Point> more = {{kT0 + 2000, 5}};
      ASSERT_TRUE((*store)->Write(kFine, {SeriesPoints{3, more}}).ok()) << what;
    }
  }
}

TEST(RingStoreCrash, EveryFailedOperationIsSurvivedWithoutRestart) {
  for (const auto fault : {FaultFileSystem::Fault::kWrite, FaultFileSystem::Fault::kSync}) {
    for (const int64_t every : {5, 7, 11, 13}) {
      FaultFileSystem fs;
      auto store = OpenStore(&fs);
      ASSERT_TRUE(store.ok());
      fs.FailEvery(fault, every, absl::UnavailableError("flaky disk"));
      std::map<int64_t, double> want;
      int failures = 0;
      for (int round = 0; round < 40; ++round) {
        std::vector<Point> points;
        for (int i = 0; i < 12; ++i) {
          const int64_t at = kT0 + (round + i) * kStep;
          const double value = round % 3 == 0 ? std::sqrt(2.0 + round + i) : round;
          points.push_back({at, value});
          want[at] = value;
        }
        while (!(*store)->Write(kFine, {SeriesPoints{2, points}}).ok())
          ASSERT_LT(++failures, 10000);
      }
      EXPECT_GT(failures, 0);
      fs.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
      store->reset();
      fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 3);
      store = OpenStore(&fs);
      ASSERT_TRUE(store.ok());
      for (const auto& [at, value] : want) {
        if (at <= want.rbegin()->first - 64 * kStep) continue;
        double got = 0;
        ASSERT_TRUE((*store)->Read(kFine, 2, at, absl::MakeSpan(&got, 1)).ok());
        ASSERT_EQ(got, value) << "every " << every << " at " << at - kT0;
      }
    }
  }
}

// Pages of more than a block, of series that died: nothing but the hole touches them.
TEST(RingStoreCrash, AStripeOfWhichHalfIsPunchedIsNoDamage) {
  constexpr int64_t kSteps = 1024;
  constexpr int64_t kStripeSec = kSteps * kStep;
  constexpr int64_t kBegin = 1'700'000'000 / kStripeSec * kStripeSec;
  SeriesSchema schema;
  schema.archives = {{kStep, kSteps}};
  RingStoreOptions options;
  options.dir = "/data/ring";
  options.stripe_steps = static_cast<int>(kSteps);
  const auto stripe_of = [](int64_t stripe) {
    std::mt19937_64 random(static_cast<uint64_t>(stripe));
    std::vector<Point> points;
    for (int64_t i = 0; i < kSteps; ++i) {
      points.push_back({kBegin + stripe * kStripeSec + i * kStep,
                        std::sqrt(static_cast<double>(random() >> 6))});
    }
    return points;
  };
  // A full stripe of each; then only the first one's time goes on, until the stripe has expired.
  const auto fill = [&](RingStore* store) {
    for (const SeriesId series : {1, 2, 3}) {
      const std::vector<Point> points = stripe_of(0);
      ASSERT_TRUE(store->Write(kFine, {SeriesPoints{series, points}}).ok());
    }
    for (const int64_t stripe : {1, 2}) {
      const std::vector<Point> points = stripe_of(stripe);
      ASSERT_TRUE(store->Write(kFine, {SeriesPoints{1, points}}).ok());
    }
  };
  const int64_t now_sec = kBegin + 3 * kStripeSec - kStep;
  int punched = 0;
  for (int64_t crash_at = 0; punched == 0; ++crash_at) {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      FaultFileSystem fs;
      options.fs = &fs;
      {
        auto store = RingStore::Open(options, {schema});
        ASSERT_TRUE(store.ok());
        fill(store->get());
        if (HasFatalFailure()) return;
        fs.CrashAfter(crash_at);
        if ((*store)->PunchExpired(now_sec).ok()) ++punched;
        fs.CrashAfter(0);
      }
      fs.PowerLoss(FaultFileSystem::Unsynced::kTear, seed);
      MetricRegistry metrics;
      options.metrics = &metrics;
      auto store = RingStore::Open(options, {schema});
      options.metrics = nullptr;
      ASSERT_TRUE(store.ok()) << store.status();
      EXPECT_THAT((*store)->Verify(), ::testing::IsEmpty()) << crash_at << " seed " << seed;
      // The place's next turn: its series come back.
      for (const SeriesId series : {1, 2, 3}) {
        const std::vector<Point> points = stripe_of(3);
        ASSERT_TRUE((*store)->Write(kFine, {SeriesPoints{series, points}}).ok());
        std::vector<double> got(kSteps);
        ASSERT_TRUE(
            (*store)->Read(kFine, series, points[0].timestamp_sec, absl::MakeSpan(got)).ok());
        EXPECT_EQ(got.back(), points.back().value);
      }
      EXPECT_EQ((*store)->BadPages(), 0u) << crash_at << " seed " << seed;
      EXPECT_EQ(metrics.AddCounter("shoal_ring_pages_lost_total", "")->Value(), 0u);
    }
  }
  EXPECT_EQ(punched, 8);
}

}  // namespace
}  // namespace shoal
