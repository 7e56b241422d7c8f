#include "base/metric/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorOf(absl::string_view text) {
  const auto archives = ParseRetentions(text);
  EXPECT_EQ(archives.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(archives.status().message());
}

TEST(ParseRetentionsTest, ReadsWhisperSpellings) {
  EXPECT_THAT(*ParseRetentions("10s:6h,60s:7d,10m:5y"),
              ElementsAre(Archive{10, 2160}, Archive{60, 10080}, Archive{600, 262800}));
  EXPECT_THAT(*ParseRetentions("60:1440"), ElementsAre(Archive{60, 1440}));
  EXPECT_THAT(*ParseRetentions(" 1min : 2hours "), ElementsAre(Archive{60, 120}));
  EXPECT_THAT(*ParseRetentions("1seconds:1minutes"), ElementsAre(Archive{1, 60}));
  EXPECT_THAT(*ParseRetentions("1m:1w"), ElementsAre(Archive{60, 10080}));
  // A retention that the step does not divide is cut, as whisper does.
  EXPECT_THAT(*ParseRetentions("7s:1m"), ElementsAre(Archive{7, 8}));
}

TEST(ParseRetentionsTest, SortsByStep) {
  EXPECT_THAT(*ParseRetentions("60s:7d,\n10s:6h"),
              ElementsAre(Archive{10, 2160}, Archive{60, 10080}));
}

TEST(ParseRetentionsTest, RefusesGarbageAndQuotesIt) {
  for (const char* text :
       {"", ",", "10s", "10s:", ":6h", "10s:6h,", "10s:6h:7d", "-10s:6h", "10s:-6h", "+10s:6h",
        "1.5s:6h", "10x:6h", "10s:6fortnights", "10S:6h", "s:6h", "0x10:6h", "1 0s:6h"}) {
    EXPECT_THAT(ErrorOf(text), StartsWith("retention \"")) << text;
  }
  EXPECT_THAT(ErrorOf("10s:6h,10q:7d"), HasSubstr("\"10q:7d\""));
}

TEST(ParseRetentionsTest, RefusesZeroAndOverflow) {
  EXPECT_THAT(ErrorOf("0s:6h"), HasSubstr("zero"));
  EXPECT_THAT(ErrorOf("10s:0"), HasSubstr("not even one point"));
  EXPECT_THAT(ErrorOf("60s:59s"), HasSubstr("not even one point"));
  EXPECT_THAT(ErrorOf("99999999999999999999s:6h"), HasSubstr("below 2^32"));
  EXPECT_THAT(ErrorOf("4294967295y:4294967295y"), HasSubstr("too long"));
  EXPECT_THAT(ErrorOf("1s:4294967295y"), HasSubstr("more than 2^32"));
  EXPECT_THAT(ErrorOf("4294967295:4294967295"), HasSubstr("more than 2^32"));
  EXPECT_THAT(*ParseRetentions("1s:4294967295"), ElementsAre(Archive{1, 4294967295}));
}

TEST(ParseRetentionsTest, HoldsToWhispersRules) {
  EXPECT_THAT(ErrorOf("60s:1d,1m:7d"), HasSubstr("the same step twice"));
  EXPECT_THAT(ErrorOf("60s:1d,90s:7d"), HasSubstr("does not divide"));
  EXPECT_THAT(ErrorOf("10s:1d,60s:1d"), HasSubstr("must cover more time"));
  EXPECT_THAT(ErrorOf("10s:7d,60s:1d"), HasSubstr("must cover more time"));
  EXPECT_THAT(ErrorOf("10s:5,60s:1d"), HasSubstr("too few points"));
  EXPECT_TRUE(ParseRetentions("10s:6,60s:1d").ok());
}

TEST(RetentionsTextTest, ReadsBackAsTheSame) {
  for (const char* text : {"10s:6h,1m:1w,10m:5y", "7s:56s", "1s:4294967295s", "1d:1y"}) {
    const auto archives = ParseRetentions(text);
    ASSERT_TRUE(archives.ok()) << archives.status();
    EXPECT_EQ(RetentionsText(*archives), text);
    EXPECT_EQ(*ParseRetentions(RetentionsText(*archives)), *archives);
  }
}

TEST(ArchiveForAgeTest, TakesTheFirstThatCoversTheAge) {
  const auto archives = *ParseRetentions("10s:6h,60s:7d");
  EXPECT_EQ(ArchiveForAge(archives, 0), 0u);
  EXPECT_EQ(ArchiveForAge(archives, 6 * 3600), 0u);
  EXPECT_EQ(ArchiveForAge(archives, 6 * 3600 + 1), 1u);
  EXPECT_EQ(ArchiveForAge(archives, 100 * 86400), 1u);
  EXPECT_EQ(ArchiveForAge(archives, -5), 0u);
}

constexpr absl::string_view kFile =
    "[carbon]\n"
    "pattern = ^carbon\\.\n"
    "retentions = 60:90d\n"
    "[web]\n"
    "pattern = web[0-9]+\n"
    "retentions = 10s:6h,60s:7d\n"
    "priority = 100\n"
    "[rest]\n"
    "match-all = true\n"
    "retentions = 60s:1d\n";

TEST(SchemaRulesTest, TheFirstRuleFoundAnywhereInTheNameWins) {
  const auto rules = SchemaRules::Parse(kFile, "storage-schemas.conf");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->Find("carbon.agents.web1").section, "carbon");
  EXPECT_EQ(rules->Find("servers.web12.carbon.x").section, "web");
  EXPECT_THAT(*rules->Find("servers.web12").archives,
              ElementsAre(Archive{10, 2160}, Archive{60, 10080}));
  EXPECT_EQ(rules->Find("other").section, "rest");
}

TEST(SchemaRulesTest, WithoutAMatchGraphitesDefaultHolds) {
  const SchemaRules rules;
  const auto match = rules.Find("a");
  EXPECT_EQ(match.section, "default");
  EXPECT_THAT(*match.archives, ElementsAre(Archive{60, 10080}));
}

TEST(SchemaRulesTest, MovesWithItsDefault) {
  SchemaRules rules;
  rules = *SchemaRules::Parse("[a]\npattern = ^a$\nretentions = 1s:60s\n", "f");
  const SchemaRules moved = std::move(rules);
  EXPECT_EQ(moved.Find("a").section, "a");
  EXPECT_THAT(*moved.Find("b").archives, ElementsAre(Archive{60, 10080}));
}

TEST(SchemaRulesTest, ErrorsNameFileLineAndSection) {
  const auto error = [](absl::string_view text) {
    return std::string(SchemaRules::Parse(text, "s.conf").status().message());
  };
  EXPECT_EQ(error("[a]\nretentions = 1s:60s\n"), "s.conf:1: [a]: no pattern");
  EXPECT_EQ(error("[a]\npattern = b\n"), "s.conf:1: [a]: no retentions");
  EXPECT_THAT(error("\n[a]\npattern = b\nretentions = 1s:60q\n"),
              StartsWith("s.conf:4: [a]: retention \"1s:60q\""));
  EXPECT_THAT(error("[a]\npattern = (\nretentions = 1s:60s\n"),
              StartsWith("s.conf:2: [a]: pattern \"(\" cannot be used: "));
  // Valid for Python, but not in time linear in the name.
  EXPECT_THAT(error("[a]\npattern = ^(?!carbon)\nretentions = 1s:60s\n"),
              StartsWith("s.conf:2: [a]: pattern \"^(?!carbon)\" cannot be used: "));
  EXPECT_THAT(error("nonsense\n"), StartsWith("s.conf:1: "));
}

TEST(SchemaRulesTest, LoadReadsAFile) {
  const std::string path = ::testing::TempDir() + "/schemas_test.conf";
  std::ofstream(path) << kFile;
  const auto rules = SchemaRules::Load(path);
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->Find("carbon.x").section, "carbon");
  EXPECT_EQ(SchemaRules::Load(path + ".missing").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace shoal
