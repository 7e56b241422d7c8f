#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Config Make(absl::string_view text, const std::vector<std::string>& overrides = {}) {
  auto config = Config::Parse(text, "dir/router.toml", overrides);
  EXPECT_TRUE(config.ok()) << config.status();
  return *std::move(config);
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ConfigTest, ReadsEveryType) {
  Config config = Make(R"(
text = "a"
[section]
flag = true
count = 7
ratio = 2
bytes = "64MiB"
plain_bytes = 100
wait = "250ms"
list = ["x", "y"]
choice = "block"
)");
  std::string text, choice = "drop";
  bool flag = false;
  int64_t count = 0, bytes = 0, plain_bytes = 0, wait_ms = 0, absent = 42;
  double ratio = 0;
  std::vector<std::string> list;
  config.GetString("text", &text);
  config.GetBool("section.flag", &flag);
  config.GetInt("section.count", &count, 0, 10);
  config.GetDouble("section.ratio", &ratio, 0, 10);
  config.GetBytes("section.bytes", &bytes, 0, int64_t{1} << 40);
  config.GetBytes("section.plain_bytes", &plain_bytes, 0, 1000);
  config.GetDurationMs("section.wait", &wait_ms, 0, 1000);
  config.GetStringList("section.list", &list);
  config.GetChoice("section.choice", &choice, {"drop", "block"});
  config.GetInt("section.absent", &absent, 0, 100);
  ASSERT_TRUE(config.Finish().ok()) << config.Finish();
  EXPECT_EQ(text, "a");
  EXPECT_TRUE(flag);
  EXPECT_EQ(count, 7);
  EXPECT_EQ(ratio, 2);
  EXPECT_EQ(bytes, 64 << 20);
  EXPECT_EQ(plain_bytes, 100);
  EXPECT_EQ(wait_ms, 250);
  EXPECT_THAT(list, ElementsAre("x", "y"));
  EXPECT_EQ(choice, "block");
  EXPECT_EQ(absent, 42);
}

TEST(ConfigTest, AnUnknownKeyIsNamedWithFileAndLine) {
  Config config = Make("[listen]\nline = 1\nlnie = 2\n");
  int64_t line = 0;
  config.GetInt("listen.line", &line, 0, 10);
  EXPECT_EQ(Message(config.Finish()), "dir/router.toml:3: listen.lnie: unknown setting");
}

TEST(ConfigTest, AnUnknownTableIsAnErrorEvenWhenEmpty) {
  EXPECT_EQ(Message(Make("[listne]\n").Finish()), "dir/router.toml:1: listne: unknown setting");
}

TEST(ConfigTest, AQuotedKeyWithADotIsNotTheDottedKey) {
  Config config = Make("\"a.b\" = 1\n");
  int64_t value = 0;
  config.GetInt("a.b", &value, 0, 10);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(Message(config.Finish()), "dir/router.toml:1: \"a.b\": unknown setting");
}

TEST(ConfigTest, AValueWhereATableBelongsIsNamed) {
  Config config = Make("listen = 1\n");
  int64_t line = 0;
  config.GetInt("listen.line", &line, 0, 10);
  EXPECT_EQ(Message(config.Finish()),
            "dir/router.toml:1: listen: expected a table, found an integer");
}

TEST(ConfigTest, WrongTypesNameWhatWasExpectedAndFound) {
  const auto error = [](absl::string_view value, auto get) {
    Config config = Make(std::string("\nk = ") + std::string(value));
    get(&config);
    const std::string message = Message(config.Finish());
    EXPECT_THAT(message, StartsWith("dir/router.toml:2: k: "));
    return message.substr(22);
  };
  std::string text = "default";
  int64_t number = 5;
  double real = 5;
  bool flag = false;
  std::vector<std::string> list;
  EXPECT_EQ(error("7", [&](Config* c) { c->GetString("k", &text); }),
            "expected a string, found an integer");
  EXPECT_EQ(error("\"7\"", [&](Config* c) { c->GetInt("k", &number, 0, 10); }),
            "expected an integer, found a string");
  EXPECT_EQ(error("7.5", [&](Config* c) { c->GetInt("k", &number, 0, 10); }),
            "expected an integer, found a float");
  EXPECT_EQ(error("11", [&](Config* c) { c->GetInt("k", &number, 0, 10); }),
            "expected 0 to 10, found 11");
  EXPECT_EQ(error("nan", [&](Config* c) { c->GetDouble("k", &real, 0, 10); }),
            "expected 0 to 10, found nan");
  EXPECT_EQ(error("[1]", [&](Config* c) { c->GetDouble("k", &real, 0, 10); }),
            "expected a number, found an array");
  EXPECT_EQ(error("1", [&](Config* c) { c->GetBool("k", &flag); }),
            "expected true or false, found an integer");
  EXPECT_EQ(error("1", [&](Config* c) { c->GetDurationMs("k", &number, 0, 10); }),
            "expected a duration such as \"10s\", found an integer");
  EXPECT_THAT(error("\"10 parsecs\"", [&](Config* c) { c->GetDurationMs("k", &number, 0, 10); }),
              HasSubstr("unit of ms, s, m, h, d, found \"10 parsecs\""));
  EXPECT_EQ(error("\"1d\"", [&](Config* c) { c->GetDurationMs("k", &number, 0, 10); }),
            "expected 0ms to 10ms, found 86400000ms");
  EXPECT_THAT(error("\"64MB\"", [&](Config* c) { c->GetBytes("k", &number, 0, 10); }),
              HasSubstr("unit of B, KiB, MiB, GiB, TiB"));
  EXPECT_THAT(error("\"-1B\"", [&](Config* c) { c->GetBytes("k", &number, 0, 10); }),
              HasSubstr("found \"-1B\""));
  EXPECT_THAT(
      error("\"9223372036854775807KiB\"", [&](Config* c) { c->GetBytes("k", &number, 0, 10); }),
      HasSubstr("expected a whole number"));
  EXPECT_EQ(error("true", [&](Config* c) { c->GetBytes("k", &number, 0, 10); }),
            "expected a size such as \"64MiB\", found a boolean");
  EXPECT_EQ(error("[\"a\", 1]", [&](Config* c) { c->GetStringList("k", &list); }),
            "expected an array of strings only, found an integer");
  EXPECT_EQ(error("\"c\"",
                  [&](Config* c) {
                    c->GetChoice("k", &text, {"a", "b"});
                  }),
            "expected one of a, b, found \"c\"");
  EXPECT_EQ(error("1979-05-27", [&](Config* c) { c->GetString("k", &text); }),
            "expected a string, found a date or time");
  // Defaults survive every error.
  EXPECT_EQ(text, "default");
  EXPECT_EQ(number, 5);
  EXPECT_EQ(real, 5);
  EXPECT_TRUE(list.empty());
}

TEST(ConfigTest, TheFirstErrorSticks) {
  Config config = Make("a = 1\nb = 2\nc = 3\n");
  std::string a = "x";
  int64_t b = 0;
  config.GetString("a", &a);
  config.GetInt("b", &b, 0, 10);
  config.Fail("c", "never this one");
  EXPECT_EQ(Message(config.Finish()), "dir/router.toml:1: a: expected a string, found an integer");
  EXPECT_EQ(b, 0);
}

TEST(ConfigTest, RequireAndFailNameTheKey) {
  Config missing = Make("[s]\na = 1\n");
  missing.Require("s.b");
  EXPECT_EQ(Message(missing.Finish()), "dir/router.toml:1: s.b: missing");
  Config nowhere = Make("");
  nowhere.Require("s.b");
  EXPECT_THAT(Message(nowhere.Finish()), HasSubstr("s.b: missing"));
  Config failed = Make("[s]\na = 1\n");
  failed.Fail("s.a", "too small for this machine");
  EXPECT_EQ(Message(failed.Finish()), "dir/router.toml:2: s.a: too small for this machine");
}

TEST(ConfigTest, SyntaxErrorsNameFileAndLine) {
  const auto config = Config::Parse("a = 1\nb = \n", "router.toml", {});
  EXPECT_THAT(Message(config.status()), StartsWith("router.toml:2: "));
  EXPECT_FALSE(Config::Parse("a = 1\na = 2\n", "router.toml", {}).ok());
  EXPECT_FALSE(Config::Parse("a = \"\xff\"\n", "router.toml", {}).ok());
}

TEST(ConfigTest, OverridesCountAsIfTheyStoodInTheFile) {
  Config config =
      Make("[listen]\nline = \"a:1\"\n", {"listen.line=127.0.0.1:2003", "listen.backlog = 9",
                                          "new.name=7", "listen.list=[\"x\"]", "wait=10s"});
  std::string line, name, wait;
  int64_t backlog = 0, wait_ms = 0;
  std::vector<std::string> list;
  config.GetString("listen.line", &line);
  config.GetInt("listen.backlog", &backlog, 0, 10);
  config.GetString("new.name", &name);
  config.GetStringList("listen.list", &list);
  config.GetDurationMs("wait", &wait_ms, 0, 100000);
  ASSERT_TRUE(config.Finish().ok()) << config.Finish();
  EXPECT_EQ(line, "127.0.0.1:2003");
  EXPECT_EQ(backlog, 9);
  EXPECT_EQ(name, "7");
  EXPECT_THAT(list, ElementsAre("x"));
  EXPECT_EQ(wait_ms, 10000);
}

TEST(ConfigTest, ErrorsInOverridesNameThem) {
  Config unknown = Make("", {"a.b=1"});
  EXPECT_EQ(Message(unknown.Finish()), "--set a.b: unknown setting");
  Config range = Make("a = 1\n", {"a=11"});
  int64_t a = 0;
  range.GetInt("a", &a, 0, 10);
  EXPECT_EQ(Message(range.Finish()), "--set a: expected 0 to 10, found 11");
  EXPECT_THAT(Message(Config::Parse("", "f", {"nothing"}).status()), HasSubstr("--set nothing"));
  EXPECT_THAT(Message(Config::Parse("", "f", {"=1"}).status()), HasSubstr("section.key=value"));
  EXPECT_THAT(Message(Config::Parse("", "f", {"a..b=1"}).status()), HasSubstr("--set a..b"));
  EXPECT_EQ(Message(Config::Parse("a = 1\n", "f", {"a.b=1"}).status()),
            "--set a.b: \"a\" has no \"b\"");
}

TEST(ConfigTest, AnOverrideIsOneValueOnly) {
  Config config = Make("", {"a=1\nb = 2"});
  std::string a;
  config.GetString("a", &a);
  ASSERT_TRUE(config.Finish().ok()) << config.Finish();
  EXPECT_EQ(a, "1\nb = 2");
}

TEST(ConfigTest, ArraysOfTablesAreReadByNumber) {
  Config config =
      Make("[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\nnmae = 1\n", {"node.0.name=z"});
  ASSERT_EQ(config.TableCount("node"), 2u);
  std::string name;
  config.GetString("node.0.name", &name);
  EXPECT_EQ(name, "z");
  config.GetString("node.1.name", &name);
  EXPECT_EQ(name, "b");
  EXPECT_EQ(Message(config.Finish()), "dir/router.toml:5: node.1.nmae: unknown setting");
}

TEST(ConfigTest, AnythingButTablesInAnArrayOfTablesIsAnError) {
  Config number = Make("node = 1\n");
  EXPECT_EQ(number.TableCount("node"), 0u);
  EXPECT_EQ(Message(number.Finish()),
            "dir/router.toml:1: node: expected tables headed [[node]], found an integer");
  Config mixed = Make("node = [{name = \"a\"}, 1]\n");
  EXPECT_EQ(mixed.TableCount("node"), 0u);
  EXPECT_FALSE(mixed.Finish().ok());
}

TEST(ConfigTest, PathsAreRelativeToTheFile) {
  const Config config = Make("");
  EXPECT_EQ(config.ResolvePath("data"), "dir/data");
  EXPECT_EQ(config.ResolvePath("/data"), "/data");
  EXPECT_EQ(config.ResolvePath(""), "");
  const auto bare = Config::Parse("", "router.toml", {});
  EXPECT_EQ(bare->ResolvePath("data"), "data");
}

TEST(ConfigTest, AMissingFileIsNamed) {
  EXPECT_THAT(Message(Config::Load("/nonexistent/x.toml", {}).status()),
              HasSubstr("/nonexistent/x.toml"));
}

TEST(ParseHostPortTest, AcceptsHostsAndBracketedAddresses) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:2003")->host, "127.0.0.1");
  EXPECT_EQ(ParseHostPort("node-1.example.com:65535")->port, 65535);
  EXPECT_EQ(ParseHostPort("[::1]:0")->host, "::1");
  EXPECT_EQ(ParseHostPort("[::1]:0")->port, 0);
}

TEST(ParseHostPortTest, RefusesTheRestAndQuotesIt) {
  for (const char* text :
       {"", "host", ":1", "host:", "host:x", "host:65536", "host:-1", "host:+1", "host: 1",
        "::1:80", "[::1]", "[]:1", "a b:1", "a/b:1", "host:99999999999999999999"}) {
    const auto parsed = ParseHostPort(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(Message(parsed.status()), StartsWith(std::string("\"") + text + "\": "));
  }
}

}  // namespace
}  // namespace shoal
