#include "storage/write_buffer.h"

#include <map>
#include <random>

#include "gtest/gtest.h"

namespace shoal {
namespace {

std::map<int64_t, double> Read(const WriteBuffer& buffer, SeriesId series, int64_t from = 0,
                               int64_t until = 1 << 30) {
  std::vector<Point> points;
  buffer.Read(series, from, until, &points);
  std::map<int64_t, double> result;
  for (const Point& point : points) {
    EXPECT_TRUE(result.emplace(point.timestamp_sec, point.value).second)
        << "twice: " << point.timestamp_sec;
  }
  return result;
}

TEST(WriteBufferTest, TheLastWriteWinsInAndAcrossGenerations) {
  WriteBuffer buffer;
  buffer.Apply({1, 1, 1}, {10, 20, 10}, {1, 2, 3});
  EXPECT_EQ(Read(buffer, 1), (std::map<int64_t, double>{{10, 3}, {20, 2}}));
  buffer.BeginFlush();
  buffer.Apply({1, 2}, {20, 5}, {4, 9});
  EXPECT_EQ(Read(buffer, 1), (std::map<int64_t, double>{{10, 3}, {20, 4}}));
  EXPECT_EQ(Read(buffer, 1, 20, 21), (std::map<int64_t, double>{{20, 4}}));
  buffer.SortFlushing();
  buffer.EndFlush();
  EXPECT_EQ(Read(buffer, 1), (std::map<int64_t, double>{{20, 4}}));
  EXPECT_EQ(Read(buffer, 2), (std::map<int64_t, double>{{5, 9}}));
}

TEST(WriteBufferTest, AgreesWithAMap) {
  std::mt19937 random(4);
  WriteBuffer buffer;
  std::map<SeriesId, std::map<int64_t, double>> flushing, active;
  for (int round = 0; round < 3000; ++round) {
    std::vector<SeriesId> series;
    std::vector<int64_t> times;
    std::vector<double> values;
    for (int i = 0; i < 20; ++i) {
      series.push_back(static_cast<SeriesId>(random() % 40));
      times.push_back(random() % 4 == 0 ? static_cast<int64_t>(random() % 300) : round / 10);
      values.push_back(static_cast<double>(random()));
      active[series.back()][times.back()] = values.back();
    }
    buffer.Apply(series, times, values);
    if (round % 500 == 250) {
      buffer.BeginFlush();
      flushing.swap(active);
      buffer.SortFlushing();
      size_t visited = 0;
      buffer.VisitFlushing([&](SeriesId id, absl::Span<const Point> points) {
        ++visited;
        ASSERT_EQ(points.size(), flushing[id].size());
        size_t i = 0;
        for (const auto& [time, value] : flushing[id]) {
          ASSERT_EQ(points[i].timestamp_sec, time);
          ASSERT_EQ(points[i++].value, value);
        }
      });
      EXPECT_EQ(visited, flushing.size());
    }
    if (round % 500 == 400) {
      buffer.EndFlush();
      flushing.clear();
    }
    const auto probe = static_cast<SeriesId>(random() % 40);
    std::map<int64_t, double> expected = active[probe];
    expected.insert(flushing[probe].begin(), flushing[probe].end());
    ASSERT_EQ(Read(buffer, probe), expected);
  }
}

TEST(WriteBufferTest, RewritingTheSameStepsDoesNotGrowWithoutBound) {
  WriteBuffer buffer;
  for (int i = 0; i < 100'000; ++i) buffer.Apply({3, 3}, {100 + i % 50, 90}, {1, 2});
  EXPECT_EQ(Read(buffer, 3).size(), 51u);
  EXPECT_LT(buffer.bytes(), 8'192u);
}

TEST(WriteBufferTest, AccountsForWhatItHolds) {
  WriteBuffer buffer;
  for (SeriesId id = 0; id < 100; ++id) {
    for (int64_t t = 0; t < 64; ++t) buffer.Apply({id}, {t}, {1});
  }
  EXPECT_EQ(buffer.points(), 6400u);
  EXPECT_GE(buffer.bytes(), 6400u * sizeof(Point));
  buffer.BeginFlush();
  EXPECT_EQ(buffer.active_bytes(), 0u);
  EXPECT_GE(buffer.bytes(), 6400u * sizeof(Point));
  buffer.EndFlush();
  EXPECT_EQ(buffer.points(), 0u);
  EXPECT_EQ(buffer.bytes(), 0u);
}

}  // namespace
}  // namespace shoal
