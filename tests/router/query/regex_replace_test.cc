#include "router/query/regex_replace.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

std::string Sub(absl::string_view pattern, absl::string_view replacement, absl::string_view text) {
  const absl::StatusOr<RegexReplace> replace = RegexReplace::Compile(pattern, replacement);
  return replace.ok() ? replace->Apply(text) : std::string(replace.status().message());
}

// Every expectation is what Python 3.11 answers to re.sub with these arguments.
TEST(RegexReplaceTest, AgreesWithPython) {
  EXPECT_EQ(Sub("(^.*$)", "\\1 A", "a.b.c"), "a.b.c A");
  EXPECT_EQ(Sub("(^.*$)", "\\1 A", ""), " A");
  EXPECT_EQ(Sub(".*", "x", "abc"), "xx");
  EXPECT_EQ(Sub("x*", "-", "abxd"), "-a-b--d-");
  EXPECT_EQ(Sub("b|", "-", "abc"), "-a--c-");
  EXPECT_EQ(Sub("$", "!", "abc"), "abc!");
  EXPECT_EQ(Sub("^a", "x", "aaa"), "xaa");
  EXPECT_EQ(Sub("\\bw", "W", "web.web"), "Web.Web");
  EXPECT_EQ(Sub("(a)(b)?", "[\\2\\1]", "abac"), "[ba][a]c");
  EXPECT_EQ(Sub("(?P<host>web\\d+)", "<\\g<host>|\\g<1>|\\g<0>>", "x.web01.y"),
            "x.<web01|web01|web01>.y");
  EXPECT_EQ(Sub("\\.", "_", "a.b.c"), "a_b_c");
  EXPECT_EQ(Sub("b", "\\\\\\.\\n\\t", "abc"), "a\\\\.\n\tc");
  EXPECT_EQ(Sub("b", "\\101\\0", "abc"), std::string("aA\0c", 4));
  EXPECT_EQ(Sub("(a)", "\\g<1>0", "abc"), "a0bc");
}

TEST(RegexReplaceTest, EmptyMatchesNeverSplitACharacter) {
  EXPECT_EQ(Sub("", "-", "\xc3\xa4\xe6\xbc\xa2"), "-\xc3\xa4-\xe6\xbc\xa2-");
}

TEST(RegexReplaceTest, RefusesWhatPythonOrRe2Refuse) {
  EXPECT_EQ(Sub("(a", "", "a"), "regular expression \"(a\": missing ): (a");
  EXPECT_EQ(Sub("(?=a)", "", "a"), "regular expression \"(?=a)\": invalid perl operator: (?=");
  EXPECT_EQ(Sub("a", "\\1", "a"), "replacement \"\\1\": the pattern has no group 1");
  EXPECT_EQ(Sub("a", "\\q", "a"), "replacement \"\\q\": unknown escape \\q");
  EXPECT_EQ(Sub("a", "\\", "a"), "replacement \"\\\": it ends with a lone backslash");
  EXPECT_EQ(Sub("a", "\\g1", "a"), "replacement \"\\g1\": \\g must be followed by <name>");
  EXPECT_EQ(Sub("a", "\\g<x>", "a"), "replacement \"\\g<x>\": the pattern has no group \"x\"");
  EXPECT_EQ(Sub(std::string(5000, 'a'), "", "a"), "longer than 4096 bytes");
}

TEST(RegexReplaceTest, HostilePatternsTakeLinearTime) {
  EXPECT_EQ(Sub("(a*)*$", "x", std::string(10'000, 'a') + "b").substr(10'000), "bx");
}

}  // namespace
}  // namespace shoal
