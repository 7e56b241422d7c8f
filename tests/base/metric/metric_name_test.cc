#include "base/metric/metric_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace shoal {
namespace {

using ::testing::ElementsAre;

TEST(ValidateNameTest, AcceptsWhatSendersSend) {
  for (const char* name :
       {"a", "servers.web01.cpu.user", "collectd.host_example_com.load.load-1m", "a.b*c{d}", "~a.b",
        "températures.köln", "\xf0\x9f\x90\x9f.count", "disk.used;datacenter=dc1;rack=a1",
        "a;k=v=w", "a;k=.", "~a;k=v", "%2e%2e", "a;name=b"}) {
    EXPECT_EQ(ValidateName(name), NameError::kNone) << name;
  }
  EXPECT_EQ(ValidateName(std::string(kNameBytesMax, 'a')), NameError::kNone);
}

TEST(ValidateNameTest, NamesTheReason) {
  EXPECT_EQ(ValidateName(""), NameError::kEmpty);
  EXPECT_EQ(ValidateName(";k=v"), NameError::kEmpty);
  EXPECT_EQ(ValidateName("~~;k=v"), NameError::kEmpty);
  EXPECT_EQ(ValidateName(std::string(kNameBytesMax + 1, 'a')), NameError::kTooLong);
  for (const char* name : {"a..b", ".a", "a.", ".", "..", "...", "a.;k=v", ".a;k=v", "~.a;k=v"}) {
    EXPECT_EQ(ValidateName(name), NameError::kEmptyNode) << name;
  }
  for (const char* name : {"a;", "a;;k=v", "a;k", "a;=v", "a;k=", "a;k=~v", "a;k!=v", "a;k^=v"}) {
    EXPECT_EQ(ValidateName(name), NameError::kBadTag) << name;
  }
}

TEST(ValidateNameTest, RefusesBytesThatCouldBeAPathOrBreakALine) {
  for (const std::string& name :
       {std::string("../../x"), std::string("/etc/passwd"), std::string("a//b"),
        std::string("a\0b", 3), std::string("a b"), std::string("a\tb"), std::string("a\nb"),
        std::string("a\x7f"), std::string("a;k=v/w")}) {
    EXPECT_EQ(ValidateName(name), NameError::kBadByte) << name;
  }
}

TEST(ValidateNameTest, RefusesWhatIsNotUtf8) {
  for (const char* name : {
           "a\x80",              // a continuation byte alone
           "a\xc3",              // cut
           "a\xc3(",             // no continuation
           "a\xc0\xaf",          // overlong '/'
           "a\xe0\x80\xaf",      // overlong '/'
           "a\xe0\x9f\xbf",      // overlong
           "a\xed\xa0\x80",      // a surrogate
           "a\xf0\x80\x80\xaf",  // overlong '/'
           "a\xf4\x90\x80\x80",  // past U+10FFFF
           "a\xf5\x80\x80\x80", "a\xff", "a\xe2\x82", "a\xf0\x9f\x90",
           "a\xc2\x9b",  // a control character of two bytes
       }) {
    EXPECT_EQ(ValidateName(name), NameError::kBadByte) << name;
  }
  for (const char* name : {"\xc2\xa0", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(ValidateName(name), NameError::kNone) << name;
  }
}

TEST(ValidateNameTest, ReasonsAreDistinctLabels) {
  std::set<std::string> texts;
  for (const NameError error : {NameError::kNone, NameError::kEmpty, NameError::kTooLong,
                                NameError::kBadByte, NameError::kEmptyNode, NameError::kBadTag}) {
    texts.insert(NameErrorText(error));
  }
  EXPECT_EQ(texts.size(), 6u);
  EXPECT_STREQ(NameErrorText(NameError::kEmpty), "empty_name");
  EXPECT_STREQ(NameErrorText(NameError::kTooLong), "name_too_long");
}

TEST(CanonicalNameTest, UntaggedNamesStayAsTheyAre) {
  EXPECT_EQ(CanonicalName("a.b.c"), "a.b.c");
  EXPECT_EQ(CanonicalName("~a"), "~a");
}

TEST(CanonicalNameTest, SortsTagsAsGraphiteDoes) {
  EXPECT_EQ(CanonicalName("disk.used;server=web01;datacenter=dc1;rack=a1"),
            "disk.used;datacenter=dc1;rack=a1;server=web01");
  // "a.b=" sorts before "a=": '.' is less than '='.
  EXPECT_EQ(CanonicalName("m;a=1;a.b=2"), "m;a.b=2;a=1");
  EXPECT_EQ(CanonicalName("m;b=1;a=2;B=3"), "m;B=3;a=2;b=1");
}

TEST(CanonicalNameTest, TheLastOfARepeatedKeyWins) {
  EXPECT_EQ(CanonicalName("m;k=1;a=x;k=3;k=2"), "m;a=x;k=2");
  EXPECT_EQ(CanonicalName("m;k=1=2;k=0"), "m;k=0");
}

TEST(CanonicalNameTest, StripsTildesAndTheTagCalledName) {
  EXPECT_EQ(CanonicalName("~~m;k=v"), "m;k=v");
  EXPECT_EQ(CanonicalName("m;name=other;k=v"), "m;k=v");
  EXPECT_EQ(CanonicalName("m;name=other"), "m");
}

TEST(CanonicalNameTest, IsIdempotentAndValid) {
  for (const char* name : {"a.b", "m;k=2;k=1;j=3", "~m;name=x;b=1;a=2", "m;a=1;a.b=2;a=0"}) {
    const std::string canonical = CanonicalName(name);
    EXPECT_EQ(CanonicalName(canonical), canonical);
    EXPECT_EQ(ValidateName(canonical), NameError::kNone);
  }
}

TEST(SplitNodesTest, SplitsAtDotsButNotWithinTags) {
  EXPECT_THAT(SplitNodes("a.b.c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SplitNodes("a"), ElementsAre("a"));
  EXPECT_THAT(SplitNodes("a..b."), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(SplitNodes(""), ElementsAre(""));
  EXPECT_THAT(SplitNodes("a.b;k=v.w"), ElementsAre("a", "b;k=v.w"));
}

}  // namespace
}  // namespace shoal
