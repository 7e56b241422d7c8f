#include "storage/recovery.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "gtest/gtest.h"
#include "storage/wal_record.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using Points = std::map<int64_t, double>;

class RecoveryTest : public testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel("error").IgnoreError();
    MetricIndexOptions index_options;
    index_options.fs = &fs_;
    index_options.dir = "/index";
    index_options.log_dir = "/series-log";
    auto index = MetricIndex::Open(index_options);
    ASSERT_TRUE(index.ok()) << index.status();
    index_ = *std::move(index);
    SegmentedLogOptions options;
    options.fs = &fs_;
    options.dir = "/wal";
    options.segment_bytes = 64 << 10;
    auto wal = SegmentedLog::Open(options);
    ASSERT_TRUE(wal.ok()) << wal.status();
    wal_ = *std::move(wal);
    EncodeSchemaRecord({0, {{{10, 360}}, AggregationRule()}}, &record_);
    Append();
  }

  void Append() { ASSERT_TRUE(wal_->Append(record_).ok()); }
  void Define(SeriesId series) {
    EncodeSeriesRecord({{{series, 0, absl::StrCat("a.s", series)}}}, &record_);
    Append();
  }
  absl::Status Replay(WriteBuffer* buffer, uint64_t buffer_bytes_max,
                      const std::function<absl::Status(LogPosition)>& flush) {
    ReplayOptions options;
    options.write_buffer_bytes_max = buffer_bytes_max;
    return ReplayWal(options, *wal_, index_.get(), buffer, flush, &deleted_, &dead_, &report_);
  }
  WriteBuffer::StepOf StepOf() {
    return [this](SeriesId series) {
      const SeriesSchema* const schema = index_->SchemaOf(series);
      return schema != nullptr ? schema->archives.front().step_sec : 0;
    };
  }

  FaultFileSystem fs_;
  std::unique_ptr<MetricIndex> index_;
  std::unique_ptr<SegmentedLog> wal_;
  std::string record_;
  std::vector<Committer::Deleted> deleted_;
  std::vector<SeriesId> dead_;
  RecoveryReport report_;
};

// Small and large batches, definitions between them, rewrites of the same steps: the order of each
// series' points is the log's, and what was asked to be flushed on the way lies before its
// position.
TEST_F(RecoveryTest, ReplaysEverySeriesInTheOrderOfTheLog) {
  std::mt19937 random(7);
  std::map<SeriesId, Points> expected;
  SeriesId defined = 0;
  uint64_t written = 0;
  double serial = 0;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 3 && random() % 2 == 0; ++i) Define(defined++);
    if (defined == 0) continue;
    WalBatch batch;
    const size_t count = round % 50 == 49 ? 20'000 : random() % 200;
    for (size_t i = 0; i < count; ++i) {
      const auto series = static_cast<SeriesId>(random() % defined);
      const int64_t time = 1'700'000'000 + 10 * static_cast<int64_t>(random() % 100);
      batch.series.push_back(series);
      batch.timestamps_sec.push_back(time);
      batch.values.push_back(++serial);
      expected[series][time] = serial;
    }
    written += count;
    EncodeBatchRecord(batch, &record_);
    Append();
  }

  std::map<SeriesId, Points> got;
  WriteBuffer buffer(StepOf());
  const auto take = [&] {
    buffer.BeginFlush();
    buffer.VisitFlushing([&](SeriesId series) {
      std::vector<Point> points;
      buffer.ReadFlushing(series, &points);
      for (const Point& point : points) got[series][point.timestamp_sec] = point.value;
    });
    buffer.EndFlush();
  };
  int flushes = 0;
  LogPosition last;
  const auto flush = [&](LogPosition position) {
    EXPECT_LT(last, position);
    last = position;
    ++flushes;
    take();
    return absl::OkStatus();
  };
  ASSERT_TRUE(Replay(&buffer, 128 << 10, flush).ok());
  EXPECT_GT(flushes, 2);
  take();
  EXPECT_EQ(got, expected);
  EXPECT_EQ(report_.points_replayed, written);
  EXPECT_EQ(report_.damaged_records, 0u);
}

TEST_F(RecoveryTest, PointsOfUnknownAndDeletedSeriesAreLeftOut) {
  Define(1);
  EncodeBatchRecord({{1, 9, 1}, {1'700'000'000, 1'700'000'000, 1'700'000'013}, {1, 2, 3}},
                    &record_);
  Append();
  EncodeDeleteRecord(1, &record_);
  Append();
  EncodeBatchRecord({{1}, {1'700'000'020}, {4}}, &record_);
  Append();
  record_ = "\x03nonsense";
  Append();
  WriteBuffer buffer(StepOf());
  ASSERT_TRUE(Replay(&buffer, 1 << 20, [](LogPosition) { return absl::OkStatus(); }).ok());
  EXPECT_FALSE(buffer.Has(9));
  std::vector<Point> points;
  buffer.Read(1, 0, 1'800'000'000, &points);
  ASSERT_EQ(points.size(), 2u);  // of before the deletion; the flusher passes over them
  EXPECT_EQ(points[1].timestamp_sec, 1'700'000'010);
  EXPECT_EQ(report_.points_replayed, 2u);
  EXPECT_EQ(report_.damaged_records, 1u);
  ASSERT_EQ(deleted_.size(), 1u);
  EXPECT_EQ(deleted_[0].series, 1u);
  // Neither id is ever given out again.
  EXPECT_GT(index_->Create("a.new", 0), 9u);
}

}  // namespace
}  // namespace shoal
