#include "base/metric/brace_expansion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> All(absl::string_view pattern) {
  const auto texts = ExpandBraces(pattern, BraceFilter::kAll, 1024);
  EXPECT_TRUE(texts.ok()) << texts.status();
  return texts.ok() ? *texts : std::vector<std::string>();
}

std::string ErrorOf(absl::string_view pattern) {
  return std::string(ExpandBraces(pattern, BraceFilter::kAll, 1024).status().message());
}

TEST(BraceExpansionTest, ExpandsInOrderWithoutDuplicates) {
  EXPECT_THAT(All("plain"), ElementsAre("plain"));
  EXPECT_THAT(All("a{b,c}d"), ElementsAre("abd", "acd"));
  EXPECT_THAT(All("{a,b}{c,d}"), ElementsAre("ac", "ad", "bc", "bd"));
  EXPECT_THAT(All("a{b,c{d,e}}f"), ElementsAre("abf", "acdf", "acef"));
  EXPECT_THAT(All("{a}"), ElementsAre("a"));
  EXPECT_THAT(All("{}x{,y}"), ElementsAre("x", "xy"));
  EXPECT_THAT(All("{a,aa}{aa,a}"), ElementsAre("aaa", "aa", "aaaa"));
}

TEST(BraceExpansionTest, BracketsAreTextAndStrayClosersToo) {
  EXPECT_THAT(All("[{,]{a,b}"), ElementsAre("[{,]a", "[{,]b"));
  EXPECT_THAT(All("{[,],b}"), ElementsAre("[,]", "b"));
  EXPECT_THAT(All("a}b]c,d"), ElementsAre("a}b]c,d"));
}

TEST(BraceExpansionTest, OnlyBracesWithDotsWhenAskedTo) {
  EXPECT_THAT(*ExpandBraces("{a,b}.{c.d,{e,f}}.{[.],g}", BraceFilter::kWithDots, 1024),
              ElementsAre("{a,b}.c.d.{[.],g}", "{a,b}.{e,f}.{[.],g}"));
}

TEST(BraceExpansionTest, UnclosedIsAnErrorThatQuotesThePattern) {
  EXPECT_EQ(ErrorOf("a{b"), "pattern \"a{b\": a brace is not closed");
  EXPECT_EQ(ErrorOf("a[b"), "pattern \"a[b\": a bracket is not closed");
  EXPECT_THAT(ErrorOf("{[}"), HasSubstr("a bracket is not closed"));
  EXPECT_THAT(ErrorOf("{{a}"), HasSubstr("a brace is not closed"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("a bracket is not closed"));
}

TEST(BraceExpansionTest, WhatBracesMultiplyIsBounded) {
  std::string product;
  for (int i = 0; i < 10; ++i) product += "{a,b}";
  EXPECT_EQ(All(product).size(), 1024u);
  EXPECT_THAT(ErrorOf(product + "{a,b}"), HasSubstr("more than 1024 texts"));
  EXPECT_THAT(ErrorOf(absl::StrCat("{", std::string(2000, ','), "}")), HasSubstr("1024 texts"));
  EXPECT_THAT(ErrorOf(product + std::string(kExpandedBytesMax / 1024, 'x')), HasSubstr("bytes"));
  EXPECT_THAT(ErrorOf(std::string(2000, '{') + std::string(2000, '}')), HasSubstr("too many"));
}

TEST(BraceExpansionTest, TheWorkStaysBoundedToo) {
  // 1024 texts, and then many braces that add nothing.
  std::string pattern;
  for (int i = 0; i < 10; ++i) pattern += "{a,b}";
  for (int i = 0; i < 1000; ++i) pattern += "{,,}";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(All(pattern).size(), 1024u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(BracketSizeTest, FollowsFnmatch) {
  EXPECT_EQ(BracketSize("[abc]d"), 5u);
  EXPECT_EQ(BracketSize("[]a]"), 4u);
  EXPECT_EQ(BracketSize("[!]a]"), 5u);
  EXPECT_EQ(BracketSize("[]"), 0u);
  EXPECT_EQ(BracketSize("[!]"), 0u);
  EXPECT_EQ(BracketSize("["), 0u);
}

}  // namespace
}  // namespace shoal
