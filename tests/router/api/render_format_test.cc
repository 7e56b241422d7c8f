#include "router/api/render_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "router/api/json_text.h"

namespace shoal {
namespace {

constexpr size_t kBytesMax = 1 << 20;

TimeSeries Make(std::string name, int64_t start, int64_t step, std::vector<double> values) {
  Series series{
      .name = std::move(name), .start_sec = start, .step_sec = step, .values = std::move(values)};
  return FromFetched(std::move(series), "pattern", 0);
}

SeriesList One(TimeSeries series) {
  SeriesList list;
  list.push_back(std::move(series));
  return list;
}

std::string Json(SeriesList list, JsonOptions options = {}) {
  return RenderJson(std::move(list), options, kBytesMax).value();
}

TEST(RenderFormatTest, JsonHasNullsAndInfinities) {
  EXPECT_EQ(Json({}), "[]");
  EXPECT_EQ(Json(One(Make("a.b;k=v", 10, 10,
                          {1, kAbsent, std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}))),
            "[{\"target\":\"a.b;k=v\",\"tags\":{\"k\":\"v\",\"name\":\"a.b\"},"
            "\"datapoints\":[[1.0,10],[null,20],[1e9999,30],[-1e9999,40]]}]");
  EXPECT_EQ(Json(One(Make("a", 10, 10, {}))), "[]");
}

TEST(RenderFormatTest, NoNullPointsDropsAbsentPointsAndEmptySeries) {
  SeriesList list = One(Make("a", 10, 10, {kAbsent, 2, kAbsent}));
  list.insert(list.begin(), Make("none", 10, 10, {kAbsent, kAbsent, kAbsent}));
  EXPECT_EQ(Json(std::move(list), {.no_null_points = true}),
            "[{\"target\":\"a\",\"tags\":{\"name\":\"a\"},\"datapoints\":[[2.0,20]]}]");
}

// 12 points of 10 s, at most 4 wanted: buckets of 3. The start moves on to the next multiple of 30,
// by three points, of which two are dropped.
TEST(RenderFormatTest, MaxDataPointsAlignsTheBuckets) {
  std::vector<double> values;
  for (int i = 1; i <= 12; ++i) values.push_back(i);
  EXPECT_EQ(Json(One(Make("a", 30, 10, values)), {.max_data_points = 4}),
            "[{\"target\":\"a\",\"tags\":{\"name\":\"a\"},\"datapoints\":[[4.0,60],[7.0,90],[10.0,"
            "120],[12.0,150]]}]");
  EXPECT_EQ(Json(One(Make("a", 40, 10, values)), {.max_data_points = 4}),
            "[{\"target\":\"a\",\"tags\":{\"name\":\"a\"},\"datapoints\":[[3.0,60],[6.0,90],[9.0,"
            "120],[11.5,150]]}]");
  EXPECT_EQ(Json(One(Make("a", 30, 10, values)), {.max_data_points = 1}),
            "[{\"target\":\"a\",\"tags\":{\"name\":\"a\"},\"datapoints\":[[6.5,30]]}]");
  TimeSeries summed = Make("a", 30, 10, {1, 1, 1, 1, 1, 1});
  summed.consolidation = Consolidation::kSum;
  EXPECT_EQ(
      Json(One(std::move(summed)), {.max_data_points = 3}),
      "[{\"target\":\"a\",\"tags\":{\"name\":\"a\"},\"datapoints\":[[2.0,40],[2.0,60],[2.0,80]]}]");
}

TEST(RenderFormatTest, TimestampsStopAtTheReportedEnd) {
  TimeSeries series = Make("a", 0, 10, {1, 2, 3, 4, 5});
  series.end_sec = 20;
  EXPECT_EQ(
      Json(One(std::move(series))),
      "[{\"target\":\"a\",\"tags\":{\"name\":\"a\"},\"datapoints\":[[1.0,0],[2.0,10],[3.0,20]]}]");
}

TEST(RenderFormatTest, ManyPointsComeOutWhole) {
  std::vector<double> values(5000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) / 7;
  const std::string json = Json(One(Make("a", 0, 10, values)));
  size_t points = 0;
  for (size_t at = json.find("[", json.find("datapoints") + 13); at != std::string::npos;
       at = json.find("[", at + 1)) {
    ++points;
  }
  EXPECT_EQ(points, values.size());
  EXPECT_TRUE(absl::EndsWith(json, "[714.1428571428571,49990]]}]"))
      << json.substr(json.size() - 60);
}

TEST(RenderFormatTest, RawAndCsv) {
  SeriesList list = One(Make("sumSeries(a,b)", 1700000000, 60, {1.5, kAbsent}));
  list.push_back(Make("c", 1700000000, 60, {1e16, 0.1 + 0.2}));
  EXPECT_EQ(RenderRaw(list, kBytesMax).value(),
            "sumSeries(a,b),1700000000,1700000120,60|1.5,None\nc,1700000000,1700000120,60|1e+16,0."
            "30000000000000004\n");
  EXPECT_EQ(
      RenderCsv(list, absl::UTCTimeZone(), kBytesMax).value(),
      "\"sumSeries(a,b)\",2023-11-14 22:13:20,1.5\r\n\"sumSeries(a,b)\",2023-11-14 22:14:20,\r\n"
      "c,2023-11-14 22:13:20,1e+16\r\nc,2023-11-14 22:14:20,0.30000000000000004\r\n");
  SeriesList quoted = One(Make("say \"hi\"", 0, 60, {1}));
  EXPECT_EQ(RenderCsv(quoted, absl::FixedTimeZone(3600), kBytesMax).value(),
            "\"say \"\"hi\"\"\",1970-01-01 01:00:00,1.0\r\n");
}

TEST(RenderFormatTest, CsvFollowsTheZoneThroughItsJumps) {
  absl::TimeZone berlin;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &berlin));
  // 2023-03-26 00:59:00 UTC and a minute later, when the clocks go from 1:59 to 3:00.
  const SeriesList list = One(Make("a", 1679792340, 60, {1, 2}));
  EXPECT_EQ(RenderCsv(list, berlin, kBytesMax).value(),
            "a,2023-03-26 01:59:00,1.0\r\na,2023-03-26 03:00:00,2.0\r\n");
}

TEST(RenderFormatTest, TooLongAnAnswerIsRefused) {
  const SeriesList list = One(Make("a", 0, 10, std::vector<double>(1000, 1)));
  EXPECT_EQ(RenderJson(list, {}, 5000).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RenderRaw(list, 1000).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RenderCsv(list, absl::UTCTimeZone(), 1000).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(JsonTextTest, EveryTextBecomesValidJson) {
  const auto json = [](absl::string_view text) {
    std::string out;
    AppendJsonString(text, &out);
    return out;
  };
  EXPECT_EQ(json("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\n\\u0001\"");
  EXPECT_EQ(json("\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x90\x9f"),
            "\"\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x90\x9f\"");
  EXPECT_EQ(json("a\xff"
                 "b\xc3"),
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\"");
  EXPECT_EQ(json("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
}

}  // namespace
}  // namespace shoal
