#include "router/ingest/protobuf_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/coding.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint32_t kNow = 1'700'000'123;

// A field of bytes.
std::string Nested(int number, const std::string& bytes) {
  std::string field;
  AppendVarint(&field, static_cast<uint64_t>(number << 3 | 2));
  AppendLengthPrefixed(&field, bytes);
  return field;
}
std::string Point(uint64_t timestamp, double value) {
  std::string point = "\x08";
  AppendVarint(&point, timestamp);
  point.push_back('\x11');
  AppendLE(&point, value);
  return Nested(2, point);
}
std::string Metric(const std::string& name, const std::string& points) {
  return Nested(1, Nested(1, name) + points);
}

struct Parsed {
  ProtobufError error;
  std::vector<std::string> points;
  std::vector<std::string> bad;
};
Parsed ParseAll(absl::string_view payload, ProtobufLimits limits = {}) {
  Parsed result;
  result.error = ParseProtobuf(
      payload, kNow, {}, limits,
      [&](const ParsedLine& point) {
        result.points.push_back(
            absl::StrFormat("%s %g %d", point.name, point.value, point.timestamp_sec));
      },
      [&](LineError error, absl::string_view name) {
        result.bad.push_back(absl::StrCat(LineErrorName(error), " ", name));
      });
  return result;
}

TEST(ProtobufParserTest, ReadsMetricsAndTheirPoints) {
  const Parsed parsed = ParseAll(Metric("a.b", Point(1700000000, 1.5) + Point(1700000060, -2)) +
                                 Metric("c;k=v", Point(0, 3)));
  EXPECT_STREQ(ProtobufErrorName(parsed.error), "none");
  EXPECT_THAT(parsed.points,
              ElementsAre("a.b 1.5 1700000000", "a.b -2 1700000060", "c;k=v 3 1700000123"));
  EXPECT_THAT(parsed.bad, IsEmpty());
  EXPECT_EQ(ParseAll("").error, ProtobufError::kNone);
}

TEST(ProtobufParserTest, DefaultsAreNotOnTheWire) {
  std::string zero_value = "\x08";
  AppendVarint(&zero_value, 60);
  EXPECT_THAT(ParseAll(Metric("a", Nested(2, zero_value) + Nested(2, ""))).points,
              ElementsAre("a 0 60", "a 0 1700000123"));
}

TEST(ProtobufParserTest, FieldsComeInAnyOrderAndTheLastOneCounts) {
  const std::string name_last =
      Nested(1, Point(60, 1) + Nested(1, "old") + Point(120, 2) + Nested(1, "new"));
  EXPECT_THAT(ParseAll(name_last).points, ElementsAre("new 1 60", "new 2 120"));
}

TEST(ProtobufParserTest, UnknownFieldsAreSkipped) {
  std::string unknown = Nested(3, "bytes");
  unknown += "\x20\x96\x01";                             // 4: varint
  unknown += std::string("\x29") + std::string(8, 'x');  // 5: 64 bits
  unknown += std::string("\x35") + std::string(4, 'x');  // 6: 32 bits
  const std::string point =
      Nested(2, unknown + "\x08\x3c" + unknown + std::string("\x11\0\0\0\0\0\0\xf0\x3f", 9));
  const Parsed parsed =
      ParseAll(unknown + Nested(1, unknown + Nested(1, "a") + point + unknown) + unknown);
  EXPECT_STREQ(ProtobufErrorName(parsed.error), "none");
  EXPECT_THAT(parsed.points, ElementsAre("a 1 60"));
}

TEST(ProtobufParserTest, BadPointsAreSkippedAndNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const Parsed parsed = ParseAll(Metric("a", Point(60, nan) + Point(60, 1) + Point(60, inf)) +
                                 Metric("", Point(60, 1)) + Metric("b", "") + Nested(1, ""));
  EXPECT_STREQ(ProtobufErrorName(parsed.error), "none");
  EXPECT_THAT(parsed.points, ElementsAre("a 1 60"));
  EXPECT_THAT(parsed.bad, ElementsAre("nan_value a", "infinite_value a", "empty_name ",
                                      "bad_field_count b", "bad_field_count "));
}

TEST(ProtobufParserTest, EveryTruncationIsRefusedAsAWhole) {
  const std::string payload = Metric("a", Point(60, 1)) + Metric("b", Point(60, 1) + Point(61, 1));
  const size_t first = Metric("a", Point(60, 1)).size();
  for (size_t size = 1; size < payload.size(); ++size) {
    if (size == first) continue;  // a whole payload
    const Parsed parsed = ParseAll(absl::string_view(payload).substr(0, size));
    EXPECT_STREQ(ProtobufErrorName(parsed.error), "truncated") << size;
    EXPECT_THAT(parsed.points, IsEmpty()) << size;
  }
}

TEST(ProtobufParserTest, MalformedPayloadsAreRefusedAsAWhole) {
  const std::string good = Metric("a", Point(60, 1));
  const auto refused = [&](const std::string& tail, ProtobufError error) {
    const Parsed parsed = ParseAll(good + tail);
    EXPECT_STREQ(ProtobufErrorName(parsed.error), ProtobufErrorName(error));
    EXPECT_THAT(parsed.points, IsEmpty());
    EXPECT_THAT(parsed.bad, IsEmpty());
  };
  refused(std::string("\x02\x00", 2), ProtobufError::kBadTag);                // field 0
  refused("\x0b\x0c", ProtobufError::kBadTag);                                // a group
  refused("\x0e", ProtobufError::kBadTag);                                    // wire type 6
  refused("\xfa\xff\xff\xff\xff\x01\x01x", ProtobufError::kBadTag);           // field 2^32
  refused("\x08\x01", ProtobufError::kBadWireType);                           // metrics as a number
  refused(Nested(1, "\x08\x01"), ProtobufError::kBadWireType);                // a name as a number
  refused(Nested(1, "\x10\x01"), ProtobufError::kBadWireType);                // points as a number
  refused(Metric("b", Nested(2, "\x0a\x01x")), ProtobufError::kBadWireType);  // time as bytes
  refused(Metric("b", Nested(2, "\x10\x01")), ProtobufError::kBadWireType);   // value as a varint
  refused("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", ProtobufError::kTruncated);
  refused("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ProtobufError::kTruncated);
  refused(Nested(1, "\x0a\x7fx"), ProtobufError::kTruncated);
}

TEST(ProtobufParserTest, PointsAreBounded) {
  std::string points;
  for (int i = 0; i < 100; ++i) points += Nested(2, "");
  EXPECT_EQ(ParseAll(Metric("a", points), {.points_max = 100}).points.size(), 100u);
  const Parsed parsed =
      ParseAll(Metric("a", points) + Metric("b", Point(60, 1)), {.points_max = 100});
  EXPECT_STREQ(ProtobufErrorName(parsed.error), "too_many_points");
  EXPECT_THAT(parsed.points, IsEmpty());
}

}  // namespace
}  // namespace shoal
