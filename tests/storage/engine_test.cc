#include "storage/engine.h"

#include <cmath>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kNow = 1'700'000'000;

class EngineTest : public ::testing::Test {
 protected:
  EngineOptions Options() {
    EngineOptions options;
    options.fs = &fs_;
    options.clock = &clock_;
    options.dir = "/data";
    options.cluster_name = "test";
    options.node_name = "node-1";
    options.schemas =
        *SchemaRules::Parse("[all]\npattern = .*\nretentions = 10s:1h,60s:6h,600s:7d\n", "test");
    options.flush_interval_ms = 3'600'000;
    options.wal_segment_bytes = 64 << 10;
    return options;
  }
  void Open() {
    engine_.reset();
    auto engine = Engine::Open(Options());
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  void SetUp() override { Open(); }

  SeriesId Id(absl::string_view name) {
    auto id = engine_->Resolve(name);
    EXPECT_TRUE(id.ok()) << id.status();
    return id.value_or(kNoSeries);
  }
  WriteResult Write(absl::string_view name, std::vector<Point> points) {
    WriteBatch batch;
    const SeriesId id = Id(name);
    for (const Point& point : points) {
      batch.series.push_back(id);
      batch.timestamps_sec.push_back(point.timestamp_sec);
      batch.values.push_back(point.value);
    }
    return engine_->WriteAndWait(std::move(batch));
  }
  // Known points of [from, until].
  std::map<int64_t, double> Read(absl::string_view name, int64_t from, int64_t until) {
    Series series;
    const absl::Status status =
        engine_->Read(Id(name), {from - 1, until, clock_.NowSec()}, &series);
    EXPECT_TRUE(status.ok()) << status;
    std::map<int64_t, double> points;
    for (size_t i = 0; i < series.values.size(); ++i) {
      if (!std::isnan(series.values[i])) {
        points[series.start_sec + static_cast<int64_t>(i) * series.step_sec] = series.values[i];
      }
    }
    return points;
  }

  FaultFileSystem fs_;
  ManualClock clock_{kNow};
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, PointsAreReadableBeforeAndAfterTheFlush) {
  ASSERT_TRUE(Write("a.b", {{kNow - 20, 1.5}, {kNow - 10, 2.5}, {kNow - 10, 3.5}}).status.ok());
  const std::map<int64_t, double> expected = {{kNow - 20, 1.5}, {kNow - 10, 3.5}};
  EXPECT_EQ(Read("a.b", kNow - 60, kNow), expected);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(engine_->Stats().write_buffer_points, 0u);
  EXPECT_EQ(Read("a.b", kNow - 60, kNow), expected);
  Open();
  EXPECT_EQ(Read("a.b", kNow - 60, kNow), expected);
}

}  // namespace
}  // namespace shoal
