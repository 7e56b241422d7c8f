#include "storage/ring/ring_store.h"

#include <bit>
#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/metric/series.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/page/size_class.h"
#include "storage/ring/ring_format.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kStep = 10;
constexpr int64_t kStripeSteps = 32;
constexpr int64_t kStripeSec = kStep * kStripeSteps;
constexpr ArchiveKey kFine{0, 0};
constexpr ArchiveKey kCoarse{0, 1};
constexpr int64_t kT0 = 1'700'000'000 / kStripeSec * kStripeSec;  // the start of a stripe

SeriesSchema Schema(AggregationMethod method = AggregationMethod::kAverage) {
  SeriesSchema schema;
  schema.archives = {{kStep, 96}, {60, 640}};  // 3 + 2 stripes; 20 + 2 stripes
  schema.aggregation = {method, 0.5};
  return schema;
}

class RingStoreTest : public ::testing::Test {
 protected:
  absl::Status Reopen(std::vector<SeriesSchema> schemas = {Schema()}) {
    store_.reset();
    RingStoreOptions options;
    options.fs = &fs_;
    options.dir = "/data/ring";
    options.metrics = &metrics_;
    options.stripe_steps = kStripeSteps;
    options.stripe_bytes_max = 2000;
    auto store = RingStore::Open(options, std::move(schemas));
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }
  void SetUp() override { ASSERT_TRUE(Reopen().ok()); }

  absl::Status Write(SeriesId series, std::vector<Point> points) {
    const SeriesPoints one{series, points};
    return store_->Write(kFine, {one});
  }
  std::vector<double> Read(SeriesId series, int64_t start_sec, size_t steps) {
    std::vector<double> out(steps, -1);
    read_status_ = store_->Read(kFine, series, start_sec, absl::MakeSpan(out));
    return out;
  }
  double ReadOne(SeriesId series, int64_t at_sec) { return Read(series, at_sec, 1)[0]; }
  uint64_t Counter(const std::string& name) { return metrics_.AddCounter(name, "")->Value(); }
  std::string OnlyFile(absl::string_view part) {
    std::string found;
    for (const std::string& path : fs_.Files()) {
      if (!absl::StrContains(path, part)) continue;
      EXPECT_TRUE(found.empty()) << found << " and " << path;
      found = path;
    }
    return found;
  }
  // Where the page of the only small-class file lies.
  uint64_t PageOffset(const std::string& path, int64_t at_sec, uint32_t slot) {
    RingHeader header;
    std::string block(kRingBlockBytes, '\0');
    const auto file = fs_.Open(path, OpenMode::kReadOnly);
    EXPECT_TRUE(file.ok() && (*file)->ReadAt(0, block.size(), block.data()).ok());
    EXPECT_TRUE(DecodeRingHeader(block, &header).ok());
    return header.PageOffset(static_cast<uint32_t>(at_sec / kStripeSec) % header.stripes, slot);
  }

  FaultFileSystem fs_;
  MetricRegistry metrics_;
  std::unique_ptr<RingStore> store_;
  absl::Status read_status_;
};

// `count` points from `start_sec` on whose values no encoding compresses.
std::vector<Point> Noise(int64_t start_sec, int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Point> points;
  for (int i = 0; i < count; ++i) {
    points.push_back({start_sec + i * kStep, std::sqrt(static_cast<double>(random() >> 8))});
  }
  return points;
}

std::vector<Point> Smooth(int64_t start_sec, int count) {
  std::vector<Point> points;
  for (int i = 0; i < count; ++i)
    points.push_back({start_sec + i * kStep, static_cast<double>(i % 7)});
  return points;
}

TEST_F(RingStoreTest, WhatIsWrittenIsReadAlsoAfterReopen) {
  ASSERT_TRUE(Write(3, {{kT0, 1.5}, {kT0 + 20, -0.0}, {kT0 + kStripeSec, 1e308}}).ok());
  for (int round = 0; round < 2; ++round) {
    const std::vector<double> got = Read(3, kT0 - 10, 4 + kStripeSteps);
    EXPECT_TRUE(std::isnan(got[0]));
    EXPECT_EQ(got[1], 1.5);
    EXPECT_TRUE(std::isnan(got[2]));
    EXPECT_TRUE(got[3] == 0 && std::signbit(got[3]));
    EXPECT_EQ(got[1 + kStripeSteps], 1e308);
    EXPECT_TRUE(read_status_.ok());
    ASSERT_TRUE(Reopen().ok());
  }
  EXPECT_THAT(store_->SeriesIn(kFine), ElementsAre(3));
  EXPECT_THAT(store_->SeriesIn(kCoarse), IsEmpty());
  EXPECT_TRUE(std::isnan(ReadOne(4, kT0)));  // a series without a slot
}

TEST_F(RingStoreTest, LastWriteWinsAndOthersStay) {
  ASSERT_TRUE(Write(1, {{kT0, 1}, {kT0 + 10, 2}}).ok());
  ASSERT_TRUE(Write(1, {{kT0 + 10, 3}, {kT0 + 20, 4}}).ok());
  EXPECT_THAT(Read(1, kT0, 3), ElementsAre(1, 3, 4));
}

TEST_F(RingStoreTest, WritingTheSameAgainWritesNothing) {
  ASSERT_TRUE(Write(1, Smooth(kT0, 20)).ok());
  const int64_t mutations = fs_.mutations();
  ASSERT_TRUE(Write(1, Smooth(kT0, 20)).ok());
  EXPECT_EQ(fs_.mutations(), mutations);
}

TEST_F(RingStoreTest, RingWrapsOverSeveralLaps) {
  // A reference: of each series the points of the last 5 stripes, the newest of which is being
  // written.
  const int kSeries = 50;
  const int64_t kStepsWritten = 14 * kStripeSteps;
  for (int64_t first = 0; first < kStepsWritten; first += 24) {
    std::vector<std::vector<Point>> points(kSeries);
    std::vector<SeriesPoints> batch;
    for (int s = 0; s < kSeries; ++s) {
      for (int64_t i = first; i < std::min(first + 24, kStepsWritten); ++i) {
        points[s].push_back({kT0 + i * kStep, static_cast<double>(i * 100 + s)});
      }
      batch.push_back({static_cast<SeriesId>(s), points[s]});
    }
    ASSERT_TRUE(store_->Write(kFine, batch).ok());
  }
  ASSERT_TRUE(Reopen().ok());
  for (int s = 0; s < kSeries; ++s) {
    const std::vector<double> got = Read(s, kT0, kStepsWritten);
    for (int64_t i = 0; i < kStepsWritten; ++i) {
      if (i < 9 * kStripeSteps) {
        ASSERT_TRUE(std::isnan(got[i])) << i;
      } else {
        ASSERT_EQ(got[i], i * 100 + s);
      }
    }
  }
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, LatePointsMergeAndOverwrittenOnesAreDropped) {
  ASSERT_TRUE(Write(1, {{kT0, 1}, {kT0 + kStripeSec, 2}}).ok());
  ASSERT_TRUE(Write(1, {{kT0 + 50, 3}}).ok());
  EXPECT_EQ(ReadOne(1, kT0), 1);
  EXPECT_EQ(ReadOne(1, kT0 + 50), 3);
  ASSERT_TRUE(Write(1, {{kT0 + 5 * kStripeSec, 4}}).ok());  // a lap later, in the place of kT0
  ASSERT_TRUE(Write(1, {{kT0 + 60, 5}}).ok());
  EXPECT_EQ(Counter("shoal_ring_points_expired_total"), 1u);
  EXPECT_TRUE(std::isnan(ReadOne(1, kT0 + 60)));
  EXPECT_TRUE(std::isnan(ReadOne(1, kT0)));
  EXPECT_EQ(ReadOne(1, kT0 + 5 * kStripeSec), 4);
  EXPECT_EQ(ReadOne(1, kT0 + kStripeSec), 2);
}

TEST_F(RingStoreTest, TimestampsWithoutAPlaceDoNotHoldUpTheRest) {
  ASSERT_TRUE(Write(1, {{-10, 1}, {kT0, 2}, {int64_t{1} << 60, 3}}).ok());
  EXPECT_EQ(Counter("shoal_ring_points_expired_total"), 2u);
  EXPECT_EQ(ReadOne(1, kT0), 2);
  EXPECT_TRUE(std::isnan(ReadOne(1, -10)));
}

TEST_F(RingStoreTest, PointsFromTheAllowedFutureDoNotOverwriteTheRetention) {
  store_.reset();
  RingStoreOptions options;
  options.fs = &fs_;
  options.dir = "/data/future";
  options.stripe_steps = kStripeSteps;
  options.stripe_bytes_max = 2000;
  options.future_sec = 86'400;
  auto store = RingStore::Open(options, {Schema()});
  ASSERT_TRUE(store.ok());
  store_ = *std::move(store);
  const int64_t now = kT0 + 95 * kStep;
  for (int64_t at = kT0; at <= now; at += kStep) ASSERT_TRUE(Write(1, {{at, 1}}).ok());
  for (int64_t ahead = kStep; ahead <= 86'400; ahead += 37 * kStep) {
    ASSERT_TRUE(Write(1, {{now + ahead, 2}}).ok());
  }
  for (int64_t at = kT0; at <= now; at += kStep) ASSERT_EQ(ReadOne(1, at), 1) << at - kT0;
  ASSERT_TRUE(Write(1, {{now, 3}}).ok());
  EXPECT_EQ(ReadOne(1, now), 3);
}

TEST_F(RingStoreTest, ArchiveBeyondTheFormatIsRefused) {
  SeriesSchema schema;
  schema.archives = {{1, int64_t{1} << 40}};
  schema.aggregation = {};
  ASSERT_TRUE(Reopen({Schema(), schema}).ok());
  const std::vector<Point> points = {{kT0, 1}};
  EXPECT_EQ(store_->Write(ArchiveKey{1, 0}, {SeriesPoints{1, points}}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Write(1, {{kT0, 1}}).ok());
}

TEST_F(RingStoreTest, NewSeriesTakesTheClassOfItsPoints) {
  ASSERT_TRUE(Write(1, Smooth(kT0, 32)).ok());
  ASSERT_TRUE(Write(2, Noise(kT0, 32, 1)).ok());
  const auto usage = store_->Usage();
  ASSERT_EQ(usage.size(), 2u);
  EXPECT_LE(usage[0].size_class, 2);
  EXPECT_EQ(usage[0].slots_used, 1u);
  EXPECT_GE(usage[1].size_class, 100);
  EXPECT_EQ(usage[1].slots_used, 1u);
  EXPECT_GT(usage[1].logical_bytes, 0u);
}

TEST_F(RingStoreTest, PageThatNoLongerFitsIsPromotedAndTheOldSlotIsFreedALapLater) {
  std::map<int64_t, double> want;
  const auto write = [&](const std::vector<Point>& points) {
    for (const Point& point : points) want[point.timestamp_sec] = point.value;
    ASSERT_TRUE(Write(1, points).ok());
  };
  write(Smooth(kT0, 32));
  write(Smooth(kT0 + kStripeSec, 10));
  write(Noise(kT0 + kStripeSec + 100, 20, 1));  // promoted in the middle of a stripe
  EXPECT_EQ(Counter("shoal_ring_promotions_total"), 1u);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [at, value] : want) ASSERT_EQ(ReadOne(1, at), value) << at - kT0;
    ASSERT_TRUE(Reopen().ok());
  }
  auto usage = store_->Usage();
  ASSERT_EQ(usage.size(), 2u);
  EXPECT_EQ(usage[0].slots_used + usage[1].slots_used, 2u);
  // The small slot serves the stripes before the promotion until the ring has moved past them.
  write(Noise(kT0 + 5 * kStripeSec, 5, 2));
  write(Noise(kT0 + 6 * kStripeSec, 5, 3));
  usage = store_->Usage();
  EXPECT_EQ(usage[0].slots_used, 0u);
  EXPECT_EQ(usage[1].slots_used, 1u);
  // Its next owner sees nothing of what was there.
  ASSERT_TRUE(Write(2, {{kT0 + 6 * kStripeSec, 7}}).ok());
  for (int64_t i = 0; i < 9 * kStripeSteps; ++i) {
    const double got = ReadOne(2, kT0 + i * kStep);
    if (i == 6 * kStripeSteps) {
      EXPECT_EQ(got, 7);
    } else {
      ASSERT_TRUE(std::isnan(got));
    }
  }
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(store_->Usage()[0].slots_used, 1u);
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, LatePointsThatDoNotFitMoveTheirStripeAndLaterOnes) {
  std::map<int64_t, double> want;
  const auto write = [&](const std::vector<Point>& points) {
    for (const Point& point : points) want[point.timestamp_sec] = point.value;
    ASSERT_TRUE(Write(1, points).ok());
  };
  write(Smooth(kT0, 32));
  write(Smooth(kT0 + kStripeSec, 32));
  write(Smooth(kT0 + 2 * kStripeSec, 32));
  write(Noise(kT0 + 2 * kStripeSec, 32, 1));  // promoted from the third stripe on
  write(Noise(kT0 + kStripeSec, 32, 2));      // late: the large slot now begins at the second
  EXPECT_EQ(Counter("shoal_ring_promotions_total"), 2u);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [at, value] : want) ASSERT_EQ(ReadOne(1, at), value) << at - kT0;
    ASSERT_TRUE(Reopen().ok());
  }
  write(Noise(kT0, 32, 3));  // and now at the first
  for (const auto& [at, value] : want) ASSERT_EQ(ReadOne(1, at), value) << at - kT0;
  // Nothing is left in the small slot.
  EXPECT_EQ(store_->Usage()[0].slots_used, 0u);
  EXPECT_EQ(store_->Usage()[1].slots_used, 1u);
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, PromotionTakesLaterPagesAlong) {
  std::map<int64_t, double> want;
  std::vector<Point> points = Smooth(kT0, 32);
  for (const Point& point : Smooth(kT0 + kStripeSec, 32)) points.push_back(point);
  for (const Point& point : points) want[point.timestamp_sec] = point.value + 0.5;
  for (Point& point : points) point.value += 0.5;
  ASSERT_TRUE(Write(1, points).ok());
  // Both stripes in one call: the first one promotes the series, the second must find its way.
  points = Noise(kT0, 32, 4);
  points.push_back({kT0 + kStripeSec + 30, 9});
  for (const Point& point : points) want[point.timestamp_sec] = point.value;
  ASSERT_TRUE(Write(1, points).ok());
  for (const auto& [at, value] : want) ASSERT_EQ(ReadOne(1, at), value) << at - kT0;
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, SeriesThatCalmedDownTakesASmallerClassFromTheNextStripeOn) {
  std::map<int64_t, double> want;
  const auto write = [&](const std::vector<Point>& points) {
    for (const Point& point : points) want[point.timestamp_sec] = point.value;
    ASSERT_TRUE(Write(1, points).ok());
  };
  write(Noise(kT0, 32, 1));
  write(Smooth(kT0 + kStripeSec, 28));
  EXPECT_EQ(Counter("shoal_ring_class_changes_total"), 0u);
  // One flush ends the stripe and begins the next.
  std::vector<Point> points = Smooth(kT0 + kStripeSec + 280, 4);
  for (const Point& point : Smooth(kT0 + 2 * kStripeSec, 3)) points.push_back(point);
  write(points);
  EXPECT_EQ(Counter("shoal_ring_class_changes_total"), 1u);
  write(Smooth(kT0 + 2 * kStripeSec, 32));
  write({{kT0 + 20, 5}});  // late, in the old slot
  for (int stripe = 3; stripe < 8; ++stripe) {
    for (int round = 0; round < 2; ++round) {
      for (const auto& [at, value] : want) {
        if (at < kT0 + (stripe - 5) * kStripeSec) continue;
        ASSERT_EQ(ReadOne(1, at), value) << at - kT0;
      }
      ASSERT_TRUE(Reopen().ok());
    }
    write(Smooth(kT0 + stripe * kStripeSec, 32));
  }
  EXPECT_EQ(Counter("shoal_ring_class_changes_total"), 1u);
  // The large slot is free since its stripes are a lap behind.
  uint64_t used = 0;
  for (const RingStoreUsage& usage : store_->Usage()) used += usage.slots_used;
  EXPECT_EQ(used, 1u);
  EXPECT_EQ(store_->Usage().front().slots_used + store_->Usage()[1].slots_used, 1u);
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, PagesFromTheFutureMoveAlongAlsoAfterAReopen) {
  // Around the real time: only there the writer looks ahead instead of at the whole ring.
  const int64_t now = std::time(nullptr) / kStripeSec * kStripeSec;
  for (SeriesId s = 0; s < 40; ++s) {
    ASSERT_TRUE(Write(s, Smooth(now - kStripeSec, 32)).ok());
    ASSERT_TRUE(Write(s, Smooth(now, 8)).ok());
    if (s % 3 != 0) continue;
    ASSERT_TRUE(Write(s, {{now + kStripeSec + 10, 77}}).ok());
  }
  ASSERT_TRUE(Reopen().ok());
  for (SeriesId s = 0; s < 40; ++s) ASSERT_TRUE(Write(s, Noise(now, 32, s)).ok());
  for (SeriesId s = 0; s < 40; ++s) {
    EXPECT_EQ(ReadOne(s, now), Noise(now, 1, s)[0].value);
    EXPECT_EQ(ReadOne(s, now - kStripeSec + 10), 1);
    EXPECT_EQ(std::isnan(ReadOne(s, now + kStripeSec + 10)), s % 3 != 0) << s;
  }
}

TEST_F(RingStoreTest, WhatHasExpiredIsGivenBackAndNothingElse) {
  // Series 0..29 live, the others die after the first stripe.
  uint64_t allocated_max = 0;
  for (int64_t stripe = 0; stripe < 20; ++stripe) {
    const int64_t begin = kT0 + stripe * kStripeSec;
    for (SeriesId s = 0; s < (stripe == 0 ? 200 : 30); ++s)
      ASSERT_TRUE(Write(s, Smooth(begin, 32)).ok());
    const int64_t now = begin + kStripeSec - kStep;
    ASSERT_TRUE(store_->PunchExpired(now).ok());
    const uint64_t punched = Counter("shoal_ring_stripes_punched_total");
    ASSERT_TRUE(store_->PunchExpired(now).ok());
    ASSERT_EQ(Counter("shoal_ring_stripes_punched_total"), punched) << "once each";
    for (SeriesId s = 0; s < 30; s += 7) {
      for (int64_t at = std::max(kT0, now - 95 * kStep); at <= now; at += kStep)
        ASSERT_EQ(ReadOne(s, at), static_cast<double>((at - kT0) / kStep % 32 % 7)) << s;
    }
    uint64_t allocated = 0;
    for (const RingStoreUsage& usage : store_->Usage()) allocated += usage.allocated_bytes;
    if (stripe < 8) allocated_max = std::max(allocated_max, allocated);
    if (stripe == 8) {
      ASSERT_TRUE(Reopen().ok());
    } else if (stripe > 8) {
      EXPECT_LT(allocated, allocated_max);
    }
  }
  EXPECT_GT(Counter("shoal_ring_stripes_punched_total"), 0u);
  EXPECT_TRUE(std::isnan(ReadOne(100, kT0)));
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, AWrongClockDestroysNothing) {
  const int64_t last = kT0 + 90 * kStep;
  ASSERT_TRUE(Write(1, Smooth(kT0, 91)).ok());
  // The second time nothing was written since the start.
  for (int round = 0; round < 2; ++round) {
    for (int64_t lap = 0; lap < 6; ++lap) {  // whatever place of the ring the clock says
      ASSERT_TRUE(store_->PunchExpired(last + 10'000'000 + lap * kStripeSec).ok());
      for (int64_t at = kT0; at <= last; at += kStep) ASSERT_FALSE(std::isnan(ReadOne(1, at)));
    }
    ASSERT_TRUE(Reopen().ok());
  }
  EXPECT_EQ(Counter("shoal_ring_stripes_punched_total"), 0u);
}

TEST_F(RingStoreTest, JournalTakesNoMoreThanWhatIsKnown) {
  ASSERT_TRUE(Write(1, Noise(kT0, 32, 9)).ok());  // a slot of a large class
  const uint64_t before = Counter("shoal_ring_journal_bytes_total");
  ASSERT_TRUE(Write(1, {{kT0 + kStripeSec, 5}}).ok());
  EXPECT_LT(Counter("shoal_ring_journal_bytes_total") - before, 170u);
}

TEST_F(RingStoreTest, ManySeriesOfManyKindsAgreeWithAReference) {
  std::mt19937_64 random(11);
  std::map<std::pair<SeriesId, int64_t>, double> want;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::vector<Point>> points;
    std::vector<SeriesPoints> batch;
    const int64_t now = kT0 + round * 13 * kStep;
    for (SeriesId s = 0; s < 60; ++s) {
      std::map<int64_t, double> mine;
      const int count = static_cast<int>(random() % 14);
      for (int i = 0; i < count; ++i) {
        const int64_t at = now - static_cast<int64_t>(random() % 40) * kStep;
        mine[at] = (s + round / 20) % 3 == 0 ? std::sqrt(static_cast<double>(random() >> 5))
                                             : static_cast<double>(random() % 100);
      }
      points.emplace_back();
      for (const auto& [at, value] : mine) {
        points.back().push_back({at, value});
        want[{s, at}] = value;
      }
    }
    for (SeriesId s = 0; s < 60; ++s) batch.push_back({s, points[s]});
    ASSERT_TRUE(store_->Write(kFine, batch).ok());
    if (round % 9 == 0) {
      ASSERT_TRUE(Reopen().ok());
    }
    for (const auto& [key, value] : want) {
      if (key.second <= now - 96 * kStep || round % 6 != 0) continue;
      ASSERT_EQ(ReadOne(key.first, key.second), value)
          << "series " << key.first << " round " << round;
    }
  }
  EXPECT_GT(Counter("shoal_ring_promotions_total"), 10u);
  EXPECT_EQ(Counter("shoal_ring_points_expired_total"), 0u);
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, CoarseArchivesKeepTheirColumns) {
  const int64_t start = kT0 / 60 * 60;
  // Sum and count; 41 steps of which three are known, and room behind them.
  std::vector<double> cells(2 * 50, kAbsent);
  cells[0] = 10.5;
  cells[50] = 6;
  cells[1] = 12;
  cells[51] = 5;
  cells[40] = 1;
  cells[90] = 1;
  ASSERT_TRUE(store_->WriteCoarse(kCoarse, {CoarseRun{8, start, 41, 50, cells.data()}}).ok());
  ASSERT_TRUE(Reopen().ok());
  std::vector<double> got(2 * 41);
  ASSERT_TRUE(store_->ReadCoarse(kCoarse, 8, start, 41, absl::MakeSpan(got)).ok());
  EXPECT_EQ(got[0], 10.5);
  EXPECT_EQ(got[41], 6);
  EXPECT_EQ(got[1], 12);
  EXPECT_EQ(got[42], 5);
  EXPECT_TRUE(std::isnan(got[2]));
  EXPECT_TRUE(std::isnan(got[43]));
  EXPECT_EQ(got[40], 1);
  EXPECT_EQ(got[81], 1);
  // An absent step leaves what is there.
  const std::vector<double> more = {kAbsent, 13, kAbsent, 6};
  ASSERT_TRUE(store_->WriteCoarse(kCoarse, {CoarseRun{8, start, 2, 2, more.data()}}).ok());
  ASSERT_TRUE(store_->ReadCoarse(kCoarse, 8, start, 41, absl::MakeSpan(got)).ok());
  EXPECT_EQ(got[0], 10.5);
  EXPECT_EQ(got[1], 13);
  EXPECT_EQ(got[42], 6);
}

TEST_F(RingStoreTest, CoarseRunsOffTheGridAreRefused) {
  const std::vector<double> cells(4, 1);
  const int64_t start = kT0 / 60 * 60;
  for (const CoarseRun& run :
       {CoarseRun{8, start + 10, 2, 2, cells.data()}, CoarseRun{8, start, 2, 1, cells.data()},
        CoarseRun{8, -60, 2, 2, cells.data()}, CoarseRun{kNoSeries, start, 2, 2, cells.data()}}) {
    EXPECT_EQ(store_->WriteCoarse(kCoarse, {run}).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(RingStoreTest, WrongKindOfArchiveIsRefused) {
  const std::vector<Point> points = {{kT0, 1}};
  EXPECT_EQ(store_->Write(kCoarse, {SeriesPoints{1, points}}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Write(ArchiveKey{5, 0}, {SeriesPoints{1, points}}).code(),
            absl::StatusCode::kNotFound);
  std::vector<double> out(1);
  EXPECT_FALSE(store_->Read(kFine, 1, kT0 + 1, absl::MakeSpan(out)).ok());
}

TEST_F(RingStoreTest, FreedSlotsAreReusedAndShowNothing) {
  for (SeriesId s = 0; s < 30; ++s) ASSERT_TRUE(Write(s, Smooth(kT0, 10)).ok());
  const uint64_t files = store_->Usage()[0].files;
  for (SeriesId s = 0; s < 30; ++s) ASSERT_TRUE(store_->Free(0, {s}).ok());
  EXPECT_THAT(store_->SeriesIn(kFine), IsEmpty());
  EXPECT_TRUE(std::isnan(ReadOne(5, kT0)));
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(store_->SeriesIn(kFine), IsEmpty());
  // The same ids again, and others: what was there is not theirs.
  for (SeriesId s = 15; s < 45; ++s) ASSERT_TRUE(Write(s, {{kT0 + 200, 9}}).ok());
  for (SeriesId s = 15; s < 45; ++s) {
    EXPECT_TRUE(std::isnan(ReadOne(s, kT0))) << s;
    EXPECT_EQ(ReadOne(s, kT0 + 200), 9);
  }
  EXPECT_EQ(store_->Usage()[0].files, files);
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, RolledUntilIsDurable) {
  EXPECT_EQ(store_->RolledUntil(kCoarse), 0);
  ASSERT_TRUE(store_->SetRolledUntil(kCoarse, kT0).ok());
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(store_->RolledUntil(kCoarse), kT0);
  ASSERT_TRUE(fs_.FlipBits("/data/ring/rolled-until", 20, 1));
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(store_->RolledUntil(kCoarse), 0);
}

TEST_F(RingStoreTest, CorruptedPageIsReportedNeverServedAndRewritten) {
  ASSERT_TRUE(Write(1, {{kT0, 1}, {kT0 + kStripeSec, 2}}).ok());
  const std::string path = OnlyFile(".ring");
  const uint64_t at = PageOffset(path, kT0, 0);
  for (const uint64_t byte : {0, 5, 9, 14, 17, 25, 31}) {
    ASSERT_TRUE(fs_.FlipBits(path, at + byte, 0x10));
    const std::vector<double> got = Read(1, kT0, kStripeSteps + 1);
    EXPECT_EQ(read_status_.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(read_status_.message(), HasSubstr("slot 0"));
    EXPECT_TRUE(std::isnan(got[0]));
    EXPECT_EQ(got[kStripeSteps], 2);  // the rest is served
    EXPECT_EQ(store_->BadPages(), 1u);
    ASSERT_TRUE(fs_.FlipBits(path, at + byte, 0x10));
  }
  ASSERT_TRUE(fs_.FlipBits(path, at + 25, 0x10));
  ASSERT_EQ(store_->Verify().size(), 1u);
  EXPECT_THAT(store_->Verify()[0], HasSubstr("checksum"));
  ASSERT_TRUE(Write(1, {{kT0 + 10, 5}}).ok());
  EXPECT_EQ(Counter("shoal_ring_pages_lost_total"), 1u);
  const std::vector<double> got = Read(1, kT0, 2);
  EXPECT_TRUE(read_status_.ok());
  EXPECT_TRUE(std::isnan(got[0]));
  EXPECT_EQ(got[1], 5);
  EXPECT_THAT(store_->Verify(), IsEmpty());
}

TEST_F(RingStoreTest, SwappedPagesAreNotServed) {
  ASSERT_TRUE(Write(1, Smooth(kT0, 32)).ok());
  ASSERT_TRUE(Write(2, Smooth(kT0, 31)).ok());
  const std::string path = OnlyFile(".ring");
  const uint64_t first = PageOffset(path, kT0, 0);
  const uint64_t second = PageOffset(path, kT0, 1);
  const auto file = fs_.Open(path, OpenMode::kReadWrite);
  std::string a(second - first, '\0');
  std::string b(second - first, '\0');
  ASSERT_TRUE((*file)->ReadAt(first, a.size(), a.data()).ok());
  ASSERT_TRUE((*file)->ReadAt(second, b.size(), b.data()).ok());
  ASSERT_TRUE((*file)->WriteAt(first, b).ok());
  ASSERT_TRUE((*file)->WriteAt(second, a).ok());
  EXPECT_TRUE(std::isnan(ReadOne(1, kT0)));
  EXPECT_EQ(read_status_.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(std::isnan(ReadOne(2, kT0)));
  EXPECT_EQ(read_status_.code(), absl::StatusCode::kDataLoss);
}

TEST_F(RingStoreTest, EveryDamagedByteOfAHeaderOrSlotTableIsNoticed) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  store_.reset();
  const std::string path = OnlyFile(".ring");
  for (uint64_t byte = 0; byte < 2 * kRingBlockBytes;
       byte = byte < 300 || byte > 4080 ? byte + 1 : byte + 37) {
    ASSERT_TRUE(fs_.FlipBits(path, byte, 0x04));
    ASSERT_TRUE(Reopen().ok());
    EXPECT_TRUE(std::isnan(ReadOne(1, kT0))) << byte;
    EXPECT_FALSE(store_->Verify().empty()) << byte;
    store_.reset();
    ASSERT_TRUE(fs_.FlipBits(path, byte, 0x04));
  }
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(ReadOne(1, kT0), 1);
}

TEST_F(RingStoreTest, DamagedFileIsLeftAloneAndWritesGoOn) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  store_.reset();
  const std::string path = OnlyFile(".ring");
  ASSERT_TRUE(fs_.FlipBits(path, 20, 0x04));
  ASSERT_TRUE(Reopen().ok());
  ASSERT_TRUE(Write(1, {{kT0 + 10, 2}}).ok());
  EXPECT_EQ(ReadOne(1, kT0 + 10), 2);
  EXPECT_THAT(fs_.Files(), ::testing::Contains(path));
}

TEST_F(RingStoreTest, SlotsOfADamagedTableBlockAreNotLeasedToOthers) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  store_.reset();
  const std::string path = OnlyFile(".ring");
  ASSERT_TRUE(fs_.FlipBits(path, kRingBlockBytes + 20, 0x04));
  ASSERT_TRUE(Reopen().ok());
  ASSERT_TRUE(Write(2, {{kT0, 2}}).ok());
  store_.reset();
  ASSERT_TRUE(fs_.FlipBits(path, kRingBlockBytes + 20, 0x04));
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(ReadOne(1, kT0), 1);
  EXPECT_EQ(ReadOne(2, kT0), 2);
}

TEST_F(RingStoreTest, NewerFormatIsRefusedAndNothingIsTouched) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  store_.reset();
  const std::string path = OnlyFile(".ring");
  {
    const auto file = fs_.Open(path, OpenMode::kReadWrite);
    std::string block(kRingBlockBytes, '\0');
    ASSERT_TRUE((*file)->ReadAt(0, block.size(), block.data()).ok());
    StoreLE<uint32_t>(block.data() + 8, kRingVersion + 1);
    StoreLE<uint32_t>(block.data() + kRingBlockBytes - 4,
                      Checksum32(absl::string_view(block).substr(0, kRingBlockBytes - 4)));
    ASSERT_TRUE((*file)->WriteAt(0, block).ok());
  }
  const int64_t mutations = fs_.mutations();
  const absl::Status status = Reopen();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("newer"));
  EXPECT_EQ(fs_.mutations(), mutations);
}

TEST_F(RingStoreTest, OlderFormatIsRefusedWithBothVersions) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  store_.reset();
  const std::string path = OnlyFile(".ring");
  {
    const auto file = fs_.Open(path, OpenMode::kReadWrite);
    std::string block(kRingBlockBytes, '\0');
    ASSERT_TRUE((*file)->ReadAt(0, block.size(), block.data()).ok());
    StoreLE<uint32_t>(block.data() + 8, 1);
    StoreLE<uint32_t>(block.data() + kRingBlockBytes - 4,
                      Checksum32(absl::string_view(block).substr(0, kRingBlockBytes - 4)));
    ASSERT_TRUE((*file)->WriteAt(0, block).ok());
  }
  const absl::Status status = Reopen();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr(".ring"));
  EXPECT_THAT(status.message(), HasSubstr("version 1 is older than this program's 3"));
}

TEST_F(RingStoreTest, FileOfAnotherGeometryIsSetAside) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  SeriesSchema changed = Schema();
  changed.archives[0].step_sec = 5;
  ASSERT_TRUE(Reopen({changed}).ok());
  EXPECT_THAT(store_->SeriesIn(kFine), IsEmpty());
  EXPECT_EQ(store_->Verify().size(), 1u);
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(ReadOne(1, kT0), 1);
}

TEST_F(RingStoreTest, FilesOfASchemaThatIsAddedLaterAreUsed) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  ASSERT_TRUE(Reopen({}).ok());
  store_->AddSchema(0, Schema());
  EXPECT_EQ(ReadOne(1, kT0), 1);
}

TEST_F(RingStoreTest, StripeStepsOfAnArchiveStayWhenTheSettingChanges) {
  ASSERT_TRUE(Write(1, {{kT0, 1}}).ok());
  store_.reset();
  RingStoreOptions options;
  options.fs = &fs_;
  options.dir = "/data/ring";
  options.stripe_steps = 128;
  options.stripe_bytes_max = 2000;
  auto store = RingStore::Open(options, {Schema()});
  ASSERT_TRUE(store.ok());
  store_ = *std::move(store);
  for (SeriesId s = 2; s < 40; ++s) ASSERT_TRUE(Write(s, {{kT0, static_cast<double>(s)}}).ok());
  ASSERT_TRUE(Reopen().ok());
  for (SeriesId s = 1; s < 40; ++s) EXPECT_EQ(ReadOne(s, kT0), s);
}

TEST_F(RingStoreTest, FailedWriteOrSyncIsReportedAndMadeGoodLater) {
  for (const auto fault : {FaultFileSystem::Fault::kWrite, FaultFileSystem::Fault::kSync}) {
    for (const char* where : {"journal", ".ring"}) {
      const double value = where[0] + static_cast<int>(fault);
      ASSERT_TRUE(Write(1, Smooth(kT0, 30)).ok());
      fs_.FailEvery(fault, 1, absl::UnavailableError("disk says no"), where);
      EXPECT_FALSE(Write(1, {{kT0, value}}).ok()) << where;
      EXPECT_FALSE(Write(1, {{kT0 + 10, value}}).ok()) << where;
      EXPECT_FALSE(Write(99, {{kT0 + 10, value}}).ok()) << where;
      EXPECT_TRUE(std::isnan(ReadOne(98, kT0)));
      fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
      ASSERT_TRUE(Write(1, {{kT0, value}, {kT0 + 10, value}}).ok()) << where;
      EXPECT_THAT(Read(1, kT0, 3), ElementsAre(value, value, 2)) << where;
      EXPECT_THAT(store_->Verify(), IsEmpty());
      // What OK was said to is there after a power cut, too.
      fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 7);
      ASSERT_TRUE(Reopen().ok());
      EXPECT_THAT(Read(1, kT0, 3), ElementsAre(value, value, 2)) << where;
      EXPECT_THAT(store_->Verify(), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace shoal
