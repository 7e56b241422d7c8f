#include "storage/usage_report.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

constexpr int64_t kNow = kStartSec;

class UsageReportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(h_.Open().ok());
    std::vector<std::pair<std::string, Point>> points;
    for (int i = 0; i < 3; ++i) {
      for (int t = 0; t < 20; ++t) {
        points.push_back({absl::StrCat("web.s", i, ".cpu"), {kNow - 10 * t, i + 0.25 * t}});
      }
    }
    points.push_back({"db.main", {kNow - 10, 1}});
    points.push_back({"db.main", {kNow - 5 * 3600, 2}});  // only the coarser archives keep this
    ASSERT_TRUE(h_.Write(points).ok());
  }
  UsageReport Report(const UsageQuery& query = {}) {
    return ReportUsage(
        h_.engine->rings(),
        [&](absl::FunctionRef<void(absl::string_view, SeriesId)> visit) {
          EXPECT_TRUE(h_.engine->ListNames(visit).ok());
        },
        query);
  }
  static const PrefixUsage* Find(const UsageReport& report, const std::string& prefix) {
    for (const PrefixUsage& usage : report.prefixes) {
      if (usage.prefix == prefix) return &usage;
    }
    return nullptr;
  }

  EngineHarness h_;
};

TEST_F(UsageReportTest, CountsPointsAndBytesPerArchiveAndPrefix) {
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  const UsageReport report = Report();
  EXPECT_EQ(report.series, 4u);
  EXPECT_EQ(report.failed_pages, 0u);
  EXPECT_EQ(report.nameless_series, 0u);
  ASSERT_FALSE(report.archives.empty());
  const ArchiveUsage& finest = report.archives.front();
  EXPECT_EQ(finest.archive, (ArchiveKey{0, 0}));
  EXPECT_EQ(finest.series, 4u);
  EXPECT_EQ(finest.points, 61u);
  EXPECT_GT(finest.page_bytes, 0u);
  EXPECT_LE(finest.page_bytes, finest.logical_bytes);
  EXPECT_GT(finest.allocated_bytes, 0u);

  uint64_t points = 0;
  uint64_t page_bytes = 0;
  for (const ArchiveUsage& archive : report.archives) {
    points += archive.points;
    page_bytes += archive.page_bytes;
  }
  const PrefixUsage* const web = Find(report, "web");
  const PrefixUsage* const db = Find(report, "db");
  ASSERT_TRUE(web != nullptr && db != nullptr);
  EXPECT_EQ(web->series, 3u);
  EXPECT_GE(web->points, 60u);
  EXPECT_EQ(db->series, 1u);
  EXPECT_GE(db->points, 2u);
  EXPECT_EQ(web->points + db->points, points);
  EXPECT_EQ(web->page_bytes + db->page_bytes, page_bytes);
}

TEST_F(UsageReportTest, SeriesOnlyInMemoryHaveANameAndNoPoints) {
  const UsageReport report = Report();
  EXPECT_EQ(report.series, 4u);
  EXPECT_EQ(Find(report, "web")->points, 0u);
}

TEST_F(UsageReportTest, PrefixesAreCutAtTheirDepthAndTheLargestKept) {
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  const UsageReport deep = Report({.prefix_nodes = 2});
  EXPECT_EQ(deep.prefixes.size(), 4u);
  EXPECT_TRUE(Find(deep, "web.s1") != nullptr);
  EXPECT_TRUE(Find(deep, "db.main") != nullptr);
  const UsageReport one = Report({.prefix_nodes = 1, .prefixes_max = 1});
  ASSERT_EQ(one.prefixes.size(), 1u);
  EXPECT_EQ(one.prefixes_left_out, 1u);
  EXPECT_TRUE(Report({.prefix_nodes = 0}).prefixes.empty());
}

TEST_F(UsageReportTest, DamagedPagesAreCountedApart) {
  ASSERT_TRUE(h_.engine->FlushPoints().ok());
  const uint64_t before = Report().archives.front().points;
  const std::string ring = [&] {
    for (const std::string& path : h_.fs.Files()) {
      if (absl::StrContains(path, "-a0-") && absl::EndsWith(path, ".ring")) return path;
    }
    return std::string();
  }();
  const std::string contents = *ReadFile(&h_.fs, ring, 1 << 30);
  size_t at = contents.size();
  while (contents[at - 1] == '\0') --at;
  ASSERT_TRUE(h_.fs.FlipBits(ring, at - 1, 0x40));
  const UsageReport report = Report();
  EXPECT_EQ(report.failed_pages, 1u);
  EXPECT_LT(report.archives.front().points, before);
}

}  // namespace
}  // namespace shoal
