#include "base/carbon_ini.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace shoal {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(absl::string_view text) {
  const auto sections = ParseCarbonIni(text, "x.conf");
  return sections.ok() ? "" : std::string(sections.status().message());
}

TEST(CarbonIniTest, ReadsSectionsInOrderWithTheirLines) {
  const auto sections = ParseCarbonIni(
      "# storage schemas\n"
      "[carbon]\n"
      "pattern = ^carbon\\.\n"
      "retentions = 60:90d\n"
      "\n"
      "; the rest\n"
      "[default]\r\n"
      "Pattern: .*\r\n"
      "xFilesFactor=0.5   # half\n",
      "x.conf");
  ASSERT_TRUE(sections.ok()) << sections.status();
  ASSERT_EQ(sections->size(), 2u);
  EXPECT_EQ((*sections)[0].name, "carbon");
  EXPECT_EQ((*sections)[0].line, 2);
  EXPECT_EQ((*sections)[0].Find("pattern")->value, "^carbon\\.");
  EXPECT_EQ((*sections)[0].Find("retentions")->line, 4);
  EXPECT_EQ((*sections)[1].name, "default");
  EXPECT_EQ((*sections)[1].Find("pattern")->value, ".*");
  EXPECT_EQ((*sections)[1].Find("xfilesfactor")->value, "0.5");
  EXPECT_EQ((*sections)[1].Find("xFilesFactor"), nullptr);
}

TEST(CarbonIniTest, AHashInsideAWordIsNoComment) {
  const auto sections = ParseCarbonIni("[a]\npattern = a#b;c ;d\n", "x.conf");
  ASSERT_TRUE(sections.ok()) << sections.status();
  EXPECT_EQ((*sections)[0].Find("pattern")->value, "a#b;c ;d");
}

TEST(CarbonIniTest, DeeperLinesContinueTheValueAndIndentedKeysDoNot) {
  const auto sections = ParseCarbonIni(
      "[a]\n"
      "  retentions = 10s:6h,\n"
      "     60s:7d\n"
      "  pattern = b\n",
      "x.conf");
  ASSERT_TRUE(sections.ok()) << sections.status();
  EXPECT_EQ((*sections)[0].Find("retentions")->value, "10s:6h,\n60s:7d");
  EXPECT_EQ((*sections)[0].Find("pattern")->value, "b");
}

TEST(CarbonIniTest, ErrorsNameFileAndLine) {
  EXPECT_EQ(ErrorOf("\npattern = a\n"), "x.conf:2: pattern: stands before any [section]");
  EXPECT_EQ(ErrorOf("[a]\nwhat\n"), "x.conf:2: \"what\" is neither [section] nor key = value");
  EXPECT_EQ(ErrorOf("[a\n"), "x.conf:1: a section's name must end in ']'");
  EXPECT_EQ(ErrorOf("[ ]\n"), "x.conf:1: a section without a name");
  EXPECT_EQ(ErrorOf("[a]\n= b\n"), "x.conf:2: a value without a key");
  EXPECT_EQ(ErrorOf("[a]\n[b]\n[a]\n"), "x.conf:3: section [a] was already in line 1");
  EXPECT_EQ(ErrorOf("[a]\nk = 1\nK = 2\n"), "x.conf:3: k: was already set in line 2");
  EXPECT_EQ(ErrorOf(absl::string_view("[a]\nk = \0\n", 10)), "x.conf:2: a NUL byte");
}

TEST(CarbonIniTest, AnEmptyFileHasNoSections) {
  const auto sections = ParseCarbonIni("\xef\xbb\xbf", "x.conf");
  ASSERT_TRUE(sections.ok());
  EXPECT_TRUE(sections->empty());
}

TEST(ReadTextFileTest, ReadsFilesAndNamesWhatItCannotRead) {
  const std::string path = ::testing::TempDir() + "/read_text_file_test";
  std::ofstream(path) << "text";
  EXPECT_EQ(*ReadTextFile(path), "text");
  std::remove(path.c_str());
  const auto missing = ReadTextFile(path);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(path));
  EXPECT_FALSE(ReadTextFile(::testing::TempDir()).ok());
}

TEST(ReadTextFileTest, RefusesAFileWithoutEnd) {
  EXPECT_THAT(std::string(ReadTextFile("/dev/zero").status().message()), HasSubstr("larger than"));
}

}  // namespace
}  // namespace shoal
