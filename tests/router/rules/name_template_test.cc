#include "router/rules/name_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <string>

namespace shoal {
namespace {

// The template over "(.*)" groups that have captured Aa.B1 and x.
std::string Crelay(absl::string_view text) {
  const re2::RE2 regex("(a)(b)");
  const auto name = NameTemplate::ParseCrelay(text, regex);
  if (!name.ok()) return std::string(name.status().message());
  return name->Expand({"whole", "Aa.B1", "x"});
}

TEST(NameTemplateTest, CrelayGroupsMayChangeTheirLettersAndDots) {
  EXPECT_EQ(Crelay("pre.\\1.post"), "pre.Aa.B1.post");
  EXPECT_EQ(Crelay("\\2\\1\\2"), "xAa.B1x");
  EXPECT_EQ(Crelay("\\_1"), "aa.b1");
  EXPECT_EQ(Crelay("\\^1"), "AA.B1");
  EXPECT_EQ(Crelay("\\.1"), "Aa_B1");
  EXPECT_EQ(Crelay("\\_.1-\\^.1"), "aa_b1-AA_B1");
  EXPECT_EQ(Crelay("\\g{1}100"), "Aa.B1100");
  EXPECT_EQ(Crelay("\\_g{2}0"), "x0");
  EXPECT_EQ(Crelay("a\\-b\\g\\_c"), "a-bg_c");
  EXPECT_EQ(Crelay(""), "");
}

TEST(NameTemplateTest, WithoutGroupsTheTextStaysAsItIs) {
  const re2::RE2 regex("abc");
  EXPECT_EQ(NameTemplate::ParseCrelay("a\\1b\\", regex)->Expand({"abc"}), "a\\1b\\");
}

TEST(NameTemplateTest, GroupsThatAreNotThereAreRefused) {
  for (const char* text :
       {"\\3", "\\12", "\\0", "\\g{3}", "\\99999999999", "\\g{1", "\\g{1x}", "a\\"}) {
    const auto name = NameTemplate::ParseCrelay(text, re2::RE2("(a)(b)"));
    EXPECT_FALSE(name.ok()) << text;
  }
  EXPECT_THAT(Crelay("\\3"), testing::HasSubstr("group 3 is used, the expression has 2"));
}

TEST(NameTemplateTest, CarbonFieldsAreNamed) {
  const re2::RE2 regex("(?P<env>a)(?P<app>b)");
  const auto name = NameTemplate::ParseCarbon("<env>.applications.<app>.all<env>", regex);
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(name->Expand({"", "prod", "shop"}), "prod.applications.shop.allprod");
  EXPECT_EQ(NameTemplate::ParseCarbon("all", regex)->Expand({"", "prod", "shop"}), "all");
  for (const char* text : {"<other>", "<env", "<<env>>", "<>"}) {
    EXPECT_FALSE(NameTemplate::ParseCarbon(text, regex).ok()) << text;
  }
}

}  // namespace
}  // namespace shoal
