#include "base/metric/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

NodeGlob Node(absl::string_view pattern) {
  auto glob = NodeGlob::Compile(pattern);
  EXPECT_TRUE(glob.ok()) << glob.status();
  return glob.ok() ? *std::move(glob) : NodeGlob();
}

bool Matches(absl::string_view pattern, absl::string_view name) {
  const auto glob = Glob::Compile(pattern);
  EXPECT_TRUE(glob.ok()) << glob.status();
  return glob.ok() && glob->Match(name);
}

TEST(NodeGlobTest, MatchesAsFnmatchDoes) {
  struct Case {
    const char* pattern;
    const char* node;
    bool match;
  };
  for (const Case& c : std::vector<Case>{{"web", "web", true},
                                         {"web", "web1", false},
                                         {"web*", "web", true},
                                         {"web*", "we", false},
                                         {"*", "", true},
                                         {"**x", "ax", true},
                                         {"*1", "web1", true},
                                         {"*1", "web12", false},
                                         {"*a*b*", "xxaxxbxx", true},
                                         {"*a*b*", "xxbxxaxx", false},
                                         {"*ab", "aab", true},
                                         {"?", "", false},
                                         {"??", "ab", true},
                                         {"??", "a", false},
                                         {"w?b", "web", true},
                                         {"[abc]", "b", true},
                                         {"[abc]", "d", false},
                                         {"[a-c]x", "bx", true},
                                         {"[c-a]", "b", false},
                                         {"[!a-c]", "d", true},
                                         {"[!a-c]", "b", false},
                                         {"[!a]", "", false},
                                         {"[^a]", "a", true},
                                         {"[]]", "]", true},
                                         {"[!]]", "a", true},
                                         {"[!]]", "]", false},
                                         {"[a-]", "-", true},
                                         {"[-a]", "-", true},
                                         {"[a!]", "!", true},
                                         {"[*]", "*", true},
                                         {"[*]", "x", false},
                                         {"{a,b}c", "bc", true},
                                         {"{a,b}c", "c", false},
                                         {"{a*,b?}", "axx", true},
                                         {"{a*,b?}", "bxx", false},
                                         {"web{1,2}[0-9]*", "web23x", true},
                                         {"*[0-9]", "web7", true},
                                         {"*[0-9]", "web", false}}) {
    EXPECT_EQ(Node(c.pattern).Match(c.node), c.match) << c.pattern << " on " << c.node;
  }
}

TEST(NodeGlobTest, CharactersAreNotBytes) {
  EXPECT_TRUE(Node("k?ln").Match("k\xc3\xb6ln"));
  EXPECT_FALSE(Node("k??ln").Match("k\xc3\xb6ln"));
  EXPECT_FALSE(Node("*??").Match("\xc3\xb6"));
  EXPECT_FALSE(Node("*??").Match("\xe2\x82\xac"));
  EXPECT_TRUE(Node("[\xc3\xa4-\xc3\xbc]").Match("\xc3\xb6"));
  EXPECT_FALSE(Node("[!\xc3\xb6]").Match("\xc3\xb6"));
  EXPECT_TRUE(Node("?").Match("\xf0\x9f\x90\x9f"));
  // Bytes that are not UTF-8 count one by one, and none is skipped.
  EXPECT_TRUE(Node("??").Match("\xff\xc3"));
  EXPECT_FALSE(Node("[\x01-~]").Match("\xff"));
}

TEST(NodeGlobTest, KnowsLiteralsAndPrefixes) {
  EXPECT_TRUE(Node("web").is_literal());
  EXPECT_EQ(Node("web").literal(), "web");
  EXPECT_EQ(Node("web").literal_prefix(), "web");
  EXPECT_TRUE(Node("{web}1").is_literal());
  EXPECT_EQ(Node("{web}1").literal(), "web1");
  EXPECT_FALSE(Node("{web,db}").is_literal());
  EXPECT_EQ(Node("{web,db}").literal(), "");
  EXPECT_EQ(Node("{web1,web2}*").literal_prefix(), "web");
  EXPECT_EQ(Node("{web1,db}").literal_prefix(), "");
  EXPECT_EQ(Node("web*").literal_prefix(), "web");
  EXPECT_EQ(Node("*web").literal_prefix(), "");
  EXPECT_EQ(Node("{web1,[w]}").literal_prefix(), "");
  EXPECT_TRUE(Node("**").is_any_depth());
  EXPECT_FALSE(Node("*").is_any_depth());
  EXPECT_FALSE(Node("{*,a}*").is_any_depth());
  EXPECT_TRUE(NodeGlob::Literal("a*").Match("a*"));
  EXPECT_FALSE(NodeGlob::Literal("a*").Match("ab"));
}

TEST(GlobTest, NodesMatchNodeByNode) {
  EXPECT_TRUE(Matches("a.*.c", "a.b.c"));
  EXPECT_FALSE(Matches("a.*.c", "a.b.b.c"));
  EXPECT_FALSE(Matches("a.*", "a"));
  EXPECT_FALSE(Matches("*", "a.b"));
  EXPECT_TRUE(Matches("a.b", "a.b"));
  EXPECT_FALSE(Matches("a.b", "a.b.c"));
  EXPECT_FALSE(Matches("a.?.c", "a...c"));
  EXPECT_FALSE(Matches("a.[!x].c", "a..c"));
}

TEST(GlobTest, BracesMayHoldDots) {
  EXPECT_TRUE(Matches("a.{b.c,d}.e", "a.b.c.e"));
  EXPECT_TRUE(Matches("a.{b.c,d}.e", "a.d.e"));
  EXPECT_FALSE(Matches("a.{b.c,d}.e", "a.b.e"));
  EXPECT_TRUE(Matches("{a.b,c}*", "a.bx"));
  EXPECT_TRUE(Matches("{x.{y,z},w}", "x.z"));
  EXPECT_EQ(Glob::Compile("{a.b,a.b,c}")->alternatives().size(), 2u);
  EXPECT_EQ(Glob::Compile("{a,b}.{c,d}")->alternatives().size(), 1u);
}

TEST(GlobTest, AnyDepthIsNoneOrMoreNodesAndAtLeastOneAtTheEnd) {
  EXPECT_TRUE(Matches("a.**.z", "a.z"));
  EXPECT_TRUE(Matches("a.**.z", "a.b.c.z"));
  EXPECT_FALSE(Matches("a.**.z", "a.b.c"));
  EXPECT_TRUE(Matches("**.z", "z"));
  EXPECT_TRUE(Matches("**.z", "a.z.z"));
  EXPECT_TRUE(Matches("a.**", "a.b.c"));
  EXPECT_TRUE(Matches("a.**", "a.b"));
  EXPECT_FALSE(Matches("a.**", "a"));
  EXPECT_TRUE(Matches("**", "a"));
  EXPECT_TRUE(Matches("**.b.**.d", "a.b.b.c.d"));
  EXPECT_FALSE(Matches("**.b.**.d", "a.c.c.d"));
}

TEST(GlobTest, TaggedNamesMatchOnlyAsAWhole) {
  EXPECT_TRUE(Matches("a;k=v", "a;k=v"));
  EXPECT_FALSE(Matches("a*", "a;k=v"));
  EXPECT_FALSE(Matches("*", "a;k=v"));
  EXPECT_FALSE(Matches("a;k=*", "a;k=v"));
  EXPECT_TRUE(Matches("a;k=[x", "a;k=[x"));
  EXPECT_TRUE(Glob::Compile("a.b;k=*")->is_literal());
  EXPECT_EQ(Glob::Compile("a.b;k=v.w")->alternatives().front().size(), 2u);
}

TEST(GlobTest, KnowsLiterals) {
  EXPECT_TRUE(Glob::Compile("a.b")->is_literal());
  EXPECT_TRUE(Glob::Compile("a.b]}")->is_literal());
  EXPECT_FALSE(Glob::Compile("a.{b}")->is_literal());
  EXPECT_FALSE(Glob::Compile("a.*")->is_literal());
  EXPECT_TRUE(HasGlob("a?") && HasGlob("*") && HasGlob("[a]") && HasGlob("{a"));
  EXPECT_FALSE(HasGlob("a.b]}"));
}

TEST(GlobTest, RefusesWhatIsBrokenOrTooLarge) {
  const auto error = [](absl::string_view pattern) {
    const auto glob = Glob::Compile(pattern);
    EXPECT_EQ(glob.status().code(), absl::StatusCode::kInvalidArgument) << pattern;
    return std::string(glob.status().message());
  };
  error("");
  error("a.[b");
  error("a.{b");
  EXPECT_THAT(error(std::string(Glob::kBytesMax + 1, 'a')), HasSubstr("4096 bytes"));
  std::string deep = "a";
  for (size_t i = 1; i < Glob::kNodesMax; ++i) deep += ".a";
  EXPECT_TRUE(Glob::Compile(deep).ok());
  EXPECT_THAT(error(deep + ".a"), HasSubstr("128 nodes"));
  // Each node alone is within its bounds, all of them together are not.
  std::string many = "{a.b,c.d}{a.b,c.d}{a.b,c.d}{a.b,c.d}{a.b,c.d}{a.b,c.d}{a.b,c.d}";
  for (int i = 0; i < 50; ++i) many += ".{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}";
  EXPECT_THAT(error(many), HasSubstr("more than"));
}

// A matcher that tries every way is exponential here; twenty stars would take longer than anybody
// waits.
TEST(GlobTest, ManyStarsStayCheap) {
  std::string node_pattern;
  for (int i = 0; i < 200; ++i) node_pattern += "*a";
  std::string depth_pattern;
  for (int i = 0; i < 60; ++i) depth_pattern += "**.a.";
  std::string depth_name = "a";
  for (int i = 0; i < 500; ++i) depth_name += ".a";
  const std::string node(1000, 'a');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(Matches(node_pattern + "b", node));
  EXPECT_TRUE(Matches(node_pattern, node));
  EXPECT_FALSE(Matches(depth_pattern + "b", depth_name));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(GlobTest, ManyPlainAlternativesAreLookedUp) {
  std::string pattern = "{";
  for (int i = 0; i < 600; ++i) absl::StrAppend(&pattern, i == 0 ? "" : ",", "web", i);
  const auto glob = Glob::Compile(pattern + "}");
  ASSERT_TRUE(glob.ok()) << glob.status();
  EXPECT_TRUE(glob->Match("web0"));
  EXPECT_TRUE(glob->Match("web599"));
  EXPECT_FALSE(glob->Match("web600"));
  EXPECT_FALSE(glob->Match("we"));
}

}  // namespace
}  // namespace shoal
