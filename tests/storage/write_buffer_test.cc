#include "storage/write_buffer.h"

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

using Points = std::map<int64_t, double>;

WriteBuffer::StepOf Step(int64_t step_sec) {
  return [step_sec](SeriesId) { return step_sec; };
}

Points Read(const WriteBuffer& buffer, SeriesId series, int64_t from = -(1LL << 40),
            int64_t until = 1LL << 40) {
  std::vector<Point> points;
  buffer.Read(series, from, until, &points);
  Points result;
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const Point& point : points) {
    EXPECT_LT(last, point.timestamp_sec);
    last = point.timestamp_sec;
    result[point.timestamp_sec] = point.value;
  }
  return result;
}

std::map<SeriesId, Points> Flushing(const WriteBuffer& buffer) {
  std::map<SeriesId, Points> result;
  SeriesId least = 0;
  std::vector<Point> points;
  buffer.VisitFlushing([&](SeriesId series) {
    EXPECT_GE(series, least);
    least = series + 1;
    points.assign(1, {-(1LL << 40), 0});  // what is there stays
    buffer.ReadFlushing(series, &points);
    for (size_t i = 1; i < points.size(); ++i) {
      EXPECT_LT(points[i - 1].timestamp_sec, points[i].timestamp_sec);
      result[series][points[i].timestamp_sec] = points[i].value;
    }
  });
  return result;
}

TEST(WriteBufferTest, TheLastWriteWinsInAndAcrossGenerations) {
  WriteBuffer buffer(Step(5));
  buffer.Apply({1, 1, 1}, {10, 20, 10}, {1, 2, 3});
  EXPECT_EQ(Read(buffer, 1), (Points{{10, 3}, {20, 2}}));
  buffer.BeginFlush();
  buffer.Apply({1, 2}, {20, 5}, {4, 9});
  EXPECT_EQ(Read(buffer, 1), (Points{{10, 3}, {20, 4}}));
  EXPECT_EQ(Read(buffer, 1, 20, 21), (Points{{20, 4}}));
  EXPECT_TRUE(buffer.Has(1));
  EXPECT_FALSE(buffer.Has(3));
  EXPECT_EQ(Flushing(buffer), (std::map<SeriesId, Points>{{1, {{10, 3}, {20, 2}}}}));
  buffer.EndFlush();
  EXPECT_EQ(Read(buffer, 1), (Points{{20, 4}}));
  EXPECT_EQ(Read(buffer, 2), (Points{{5, 9}}));
}

// Every way in: step by step, gaps, late points near and far, rewrites, timestamps off the step, of
// series with an unknown step, far apart and past 32 bits.
TEST(WriteBufferTest, AgreesWithAMap) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto step_of = [](SeriesId series) -> int64_t {
      return series % 5 == 4 ? 0 : series % 5 == 3 ? 100'000 : 1 << (series % 5);
    };
    WriteBuffer buffer(step_of);
    std::map<SeriesId, Points> flushing, active;
    constexpr SeriesId kSeries = 40;
    std::vector<int64_t> newest(kSeries, 1'000'000);
    for (int round = 0; round < 2000; ++round) {
      std::vector<SeriesId> series;
      std::vector<int64_t> times;
      std::vector<double> values;
      for (int i = 0; i < 30; ++i) {
        // Neighbouring ids, and some whose tables lie apart.
        const auto which = static_cast<uint32_t>(random() % kSeries);
        const SeriesId id = which < 30 ? which : which * 1001;
        const int64_t step = std::max<int64_t>(step_of(id), 1);
        int64_t time = newest[which] + step;
        switch (random() % 16) {
          case 0:
            time += step * static_cast<int64_t>(random() % 40);
            break;
          case 1:
            time -= step * static_cast<int64_t>(random() % 200);
            break;
          case 2:
            time -= static_cast<int64_t>(random() % 7);
            break;
          case 3:
            time = static_cast<int64_t>(random() % 50);
            break;
          case 4:
            if (random() % 50 == 0) time = (1LL << 32) + static_cast<int64_t>(random() % 50);
            break;
          default:
            break;
        }
        if (time < (1LL << 31)) newest[which] = std::max(newest[which], time);
        series.push_back(id);
        times.push_back(time);
        values.push_back(random() % 20 == 0 ? std::nan("") : static_cast<double>(random()));
        if (!std::isnan(values.back())) active[id][time] = values.back();
      }
      buffer.Apply(series, times, values);
      if (round % 500 == 250) {
        buffer.BeginFlush();
        flushing.swap(active);
        ASSERT_EQ(Flushing(buffer), flushing);
      }
      if (round % 500 == 400) {
        buffer.EndFlush();
        flushing.clear();
      }
      const SeriesId probe = series[random() % series.size()];
      Points expected = active[probe];
      if (expected.empty()) active.erase(probe);
      if (flushing.contains(probe)) expected.insert(flushing[probe].begin(), flushing[probe].end());
      ASSERT_EQ(Read(buffer, probe), expected);
      const int64_t from = static_cast<int64_t>(random() % 1'200'000);
      const int64_t until = from + static_cast<int64_t>(random() % 400'000);
      ASSERT_EQ(Read(buffer, probe, from, until),
                Points(expected.lower_bound(from), expected.lower_bound(until)));
    }
  }
}

TEST(WriteBufferTest, PartsOfABatchMayBeAppliedSideBySide) {
  WriteBuffer buffer(Step(1));
  std::vector<SeriesId> series;
  std::vector<int64_t> times;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    series.push_back(static_cast<SeriesId>(i % 97));
    times.push_back(i / 200);  // every step twice: the later value stands
    values.push_back(i);
  }
  const auto apply = [&](size_t part) { buffer.ApplyPart(part, 2, series, times, values); };
  std::thread other(apply, 1);
  apply(0);
  other.join();
  std::map<SeriesId, Points> expected;
  for (size_t i = 0; i < series.size(); ++i) expected[series[i]][times[i]] = values[i];
  for (const auto& [id, points] : expected) EXPECT_EQ(Read(buffer, id), points);
  size_t points = 0;
  for (const auto& [id, of_series] : expected) points += of_series.size();
  EXPECT_EQ(buffer.points(), points);
}

TEST(WriteBufferTest, RewritingTheSameStepsDoesNotGrowWithoutBound) {
  WriteBuffer buffer(Step(1));
  buffer.Apply({3, 3}, {100, 90}, {1, 2});
  for (int i = 0; i < 100'000; ++i) buffer.Apply({3, 3, 3}, {100 + i % 50, 90, 80}, {1, 2, 3});
  EXPECT_EQ(Read(buffer, 3).size(), 52u);
  EXPECT_LT(buffer.bytes(), 8'192u);
  EXPECT_LT(buffer.points(), 52u + 256u);
}

TEST(WriteBufferTest, AStepCostsNineBytesAndASeriesAtMost24) {
  WriteBuffer buffer(Step(10));
  constexpr SeriesId kSeries = 100'000;
  std::vector<SeriesId> ids(kSeries);
  for (SeriesId i = 0; i < kSeries; ++i) ids[i] = i;
  const std::vector<double> values(kSeries, 1.5);
  for (int64_t t = 0; t < 32; ++t) {
    buffer.Apply(ids, std::vector<int64_t>(kSeries, 1'700'000'000 + t * 10), values);
  }
  EXPECT_EQ(buffer.points(), 32u * kSeries);
  EXPECT_EQ(buffer.active_bytes(), buffer.bytes());
  EXPECT_GE(buffer.bytes(), 32 * 9 * kSeries);
  EXPECT_LE(buffer.bytes(), (32 * 9 + 24) * kSeries);
  const uint64_t bytes = buffer.bytes();
  buffer.BeginFlush();
  EXPECT_EQ(buffer.active_bytes(), 0u);
  EXPECT_EQ(buffer.bytes(), bytes);
  buffer.EndFlush();
  EXPECT_EQ(buffer.points(), 0u);
  EXPECT_EQ(buffer.bytes(), 0u);
}

TEST(WriteBufferTest, PointsFarApartTakeNoWholeChunks) {
  WriteBuffer buffer(Step(10));
  for (int64_t t = 0; t < 10'000; ++t) buffer.Apply({7}, {t * 300}, {1});
  EXPECT_EQ(buffer.points(), 10'000u);
  EXPECT_EQ(Read(buffer, 7).size(), 10'000u);
  EXPECT_LT(buffer.bytes(), 10'000u * 20);
}

}  // namespace
}  // namespace shoal
