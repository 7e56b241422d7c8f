#include "router/rules/pattern_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

std::vector<bool> Match(const PatternSet& set, absl::string_view name) {
  std::vector<bool> matches;
  set.Match(name, &matches);
  return matches;
}

TEST(PatternSetTest, FindsAllThatMatchAnywhere) {
  PatternSet set;
  const std::vector<std::string> patterns = {"^a\\.", "b", "c$", "^a.b.c$", "x|y", ""};
  for (uint32_t i = 0; i < patterns.size(); ++i) EXPECT_EQ(set.Add(patterns[i], {}).value(), i);
  ASSERT_TRUE(set.Compile().ok());
  EXPECT_EQ(Match(set, "a.b.c"), (std::vector<bool>{true, true, true, true, false, true}));
  EXPECT_EQ(Match(set, "cbay"), (std::vector<bool>{false, true, false, false, true, true}));
  EXPECT_EQ(set.text(4), "x|y");
}

TEST(PatternSetTest, CaseIsIgnoredPerPattern) {
  PatternSet set;
  ASSERT_TRUE(set.Add("a|b", {.ignore_case = true}).ok());
  ASSERT_TRUE(set.Add("a|b", {}).ok());
  ASSERT_TRUE(set.Compile().ok());
  EXPECT_EQ(Match(set, "XBX"), (std::vector<bool>{true, false}));
  EXPECT_EQ(Match(set, "b"), (std::vector<bool>{true, true}));
}

TEST(PatternSetTest, WhatRe2CannotDoIsRefused) {
  PatternSet set;
  for (const char* pattern : {"(?=a)", "(?!a)", "(?<=a)", "(a)\\1", "(", "[z-a]", "a{100000}"}) {
    const auto added = set.Add(pattern, {});
    ASSERT_FALSE(added.ok()) << pattern;
    EXPECT_THAT(std::string(added.status().message()), testing::HasSubstr(pattern));
  }
  EXPECT_FALSE(set.Add(std::string(8193, 'a'), {}).ok());
  EXPECT_EQ(set.size(), 0u);
  // A refused one leaves no trace.
  EXPECT_EQ(set.Add("a", {}).value(), 0u);
  ASSERT_TRUE(set.Compile().ok());
  EXPECT_EQ(Match(set, "a"), (std::vector<bool>{true}));
}

TEST(PatternSetTest, AnEmptySetMatchesNothing) {
  PatternSet set;
  ASSERT_TRUE(set.Compile().ok());
  EXPECT_TRUE(Match(set, "a").empty());
}

TEST(PatternSetTest, ManyPatternsAgreeWithEachAlone) {
  PatternSet set;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(set.Add(absl::StrCat("a.*b", i, ".*c.{", i % 40, "}d"), {}).ok());
  }
  ASSERT_TRUE(set.Compile().ok());
  int found = 0;
  for (const std::string& name : {"aaab7" + std::string(50, 'c') + "ddb120xcd",
                                  std::string("ab1b2b3cxd"), std::string("x")}) {
    const std::vector<bool> matches = Match(set, name);
    for (uint32_t i = 0; i < 300; ++i) {
      EXPECT_EQ(matches[i], re2::RE2::PartialMatch(name, set.regex(i))) << name << " " << i;
      found += matches[i];
    }
  }
  EXPECT_GE(found, 3);
}

}  // namespace
}  // namespace shoal
