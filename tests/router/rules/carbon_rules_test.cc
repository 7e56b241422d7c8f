#include "router/rules/carbon_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kRelay[] =
    "[servers]\n"
    "pattern = ^servers\\.\n"
    "destinations = 10.0.0.1:2004, 10.0.0.2:2004:b\n"
    "[copy]\n"
    "pattern = \\.CPU\\.\n"
    "destinations = 10.0.0.3:2004\n"
    "continue = true\n"
    "[default]\n"
    "default = true\n"
    "destinations = 10.0.0.4:2004\n";

CarbonRuleFiles RelayOnly(const std::string& text = kRelay) {
  CarbonRuleFiles files;
  files.relay = {"relay-rules.conf", text};
  return files;
}

RuleSet MustCompile(const CarbonRuleFiles& files, const CarbonRuleOptions& options = {}) {
  auto rules = CompileCarbonRules(files, options);
  if (!rules.ok()) ADD_FAILURE() << rules.status();
  return rules.ok() ? std::move(rules).value() : RuleSet();
}

std::string ErrorOf(const CarbonRuleFiles& files, const CarbonRuleOptions& options = {}) {
  const auto rules = CompileCarbonRules(files, options);
  return rules.ok() ? "" : std::string(rules.status().message());
}

// "CLUSTER:name" of each send.
std::vector<std::string> Sends(const RuleSet& rules, const RuleOutcome& outcome) {
  std::vector<std::string> sends;
  for (const RuleOutcome::Send& send : outcome.sends) {
    sends.push_back(
        absl::StrCat(rules.clusters()[send.cluster].name(), ":", outcome.names[send.name]));
  }
  return sends;
}

std::vector<std::string> Outputs(const RuleOutcome& outcome) {
  std::vector<std::string> outputs;
  for (const RuleOutcome::Feed& feed : outcome.feeds) outputs.push_back(outcome.names[feed.output]);
  return outputs;
}

TEST(CarbonRulesTest, RelayRulesAreTriedInOrderIgnoringCase) {
  CarbonRuleFiles files = RelayOnly(
      "[copy]\npattern = \\.CPU\\.\ndestinations = 10.0.0.3:2004\ncontinue = true\n"
      "[servers]\npattern = ^servers\\.\ndestinations = 10.0.0.1:2004, 10.0.0.2:2004:b\n"
      "[never]\npattern = ^servers\\.x\ndestinations = 10.0.0.9:2004\n"
      "[ignored]\ndefault = false\ndestinations = 10.0.0.9:2004\n"
      "[default]\ndefault = true\ndestinations = 10.0.0.4:2004\n");
  const RuleSet rules = MustCompile(files);
  const auto sends = [&](absl::string_view name) { return Sends(rules, rules.Evaluate(name)); };
  EXPECT_THAT(sends("servers.x"), ElementsAre("[servers]:servers.x"));
  EXPECT_THAT(sends("servers.x.cpu.user"),
              ElementsAre("[copy]:servers.x.cpu.user", "[servers]:servers.x.cpu.user"));
  EXPECT_THAT(sends("a.cpu.b"), ElementsAre("[copy]:a.cpu.b", "[default]:a.cpu.b"));
  EXPECT_THAT(sends("other"), ElementsAre("[default]:other"));
  EXPECT_EQ(rules.clusters()[1].members().size(), 2u);
  EXPECT_EQ(DestinationText(rules.clusters()[1].members()[1]), "10.0.0.2:2004:b");
}

TEST(CarbonRulesTest, RelayRulesMayNameKnownClusters) {
  CarbonRuleOptions options;
  options.clusters.push_back(RelayCluster::Shoal("main"));
  const RuleSet rules = MustCompile(
      RelayOnly("[default]\ndefault = yes\ndestinations = main, 10.0.0.4:2004\n"), options);
  EXPECT_THAT(Sends(rules, rules.Evaluate("a.b")), ElementsAre("main:a.b", "[default]:a.b"));
}

TEST(CarbonRulesTest, WithoutRelayRulesTheDefaultClustersGetEverything) {
  CarbonRuleOptions options;
  options.clusters.push_back(RelayCluster::Shoal("main"));
  options.clusters.push_back(RelayCluster::Shoal("other"));
  options.default_clusters = {"main"};
  const RuleSet rules = MustCompile({}, options);
  EXPECT_THAT(Sends(rules, rules.Evaluate("a.b")), ElementsAre("main:a.b"));
  options.default_clusters = {"absent"};
  EXPECT_THAT(ErrorOf({}, options), HasSubstr("absent"));
  EXPECT_EQ(MustCompile({}).Evaluate("a.b").verdict, RuleVerdict::kUnrouted);
}

TEST(CarbonRulesTest, ListsRefuseNames) {
  CarbonRuleFiles files = RelayOnly();
  files.blacklist = {"blacklist.conf", "# comment\n\n  \\.secret\\.  \n^tmp\n"};
  files.whitelist = {"whitelist.conf", "^servers\n^tmp\n"};
  const RuleSet rules = MustCompile(files);
  const auto verdict = [&](absl::string_view name) { return rules.Evaluate(name).verdict; };
  EXPECT_EQ(verdict("servers.a"), RuleVerdict::kSent);
  EXPECT_EQ(verdict("servers.secret.a"), RuleVerdict::kBlacklisted);
  EXPECT_EQ(verdict("tmp.a"), RuleVerdict::kBlacklisted);
  EXPECT_EQ(verdict("other.a"), RuleVerdict::kNotWhitelisted);
  EXPECT_THAT(rules.Evaluate("other.a").sends, IsEmpty());
  // An empty list lets everything pass.
  files.whitelist.text = "# nothing\n";
  EXPECT_EQ(MustCompile(files).Evaluate("other.a").verdict, RuleVerdict::kSent);
}

TEST(CarbonRulesTest, RewriteRulesAreAllAppliedToEveryMatch) {
  CarbonRuleFiles files = RelayOnly();
  files.rewrite = {"rewrite-rules.conf",
                   "[post]\n"
                   "_sum$ =\n"
                   "[pre]\n"
                   "# both of them\n"
                   "web(\\d+) = host.\\1\n"
                   "host = h=1\n"
                   "[other]\n"
                   "a = b\n"};
  const RuleSet rules = MustCompile(files);
  EXPECT_THAT(Sends(rules, rules.Evaluate("servers.web1.web22_sum")),
              ElementsAre("[servers]:servers.h=1.1.h=1.22"));
  EXPECT_EQ(rules.Evaluate("servers.web1").names[0], "servers.web1");
}

TEST(CarbonRulesTest, RelayRulesSeeTheRewrittenName) {
  CarbonRuleFiles files = RelayOnly();
  files.rewrite = {"rewrite-rules.conf", "[pre]\n^hosts = servers\n"};
  const RuleSet rules = MustCompile(files);
  EXPECT_THAT(Sends(rules, rules.Evaluate("hosts.a")), ElementsAre("[servers]:servers.a"));
}

TEST(CarbonRulesTest, ANameThatIsRewrittenToNoneIsRefused) {
  CarbonRuleFiles files = RelayOnly();
  files.rewrite = {"rewrite-rules.conf", "[pre]\n^kill.* =\ndots = ..\n"};
  const RuleSet rules = MustCompile(files);
  EXPECT_EQ(rules.Evaluate("kill.me").verdict, RuleVerdict::kBadName);
  EXPECT_EQ(rules.Evaluate("a.dots.b").verdict, RuleVerdict::kBadName);
  EXPECT_THAT(rules.Evaluate("kill.me").sends, IsEmpty());
}

TEST(CarbonRulesTest, RewrittenTagsAreCanonical) {
  CarbonRuleFiles files = RelayOnly();
  files.rewrite = {"rewrite-rules.conf", "[pre]\nb= = z=\n"};
  // Split at the first '=': the pattern is "b".
  files.rewrite.text = "[pre]\n^disk;a = disk;z\n";
  const RuleSet rules = MustCompile(files);
  EXPECT_THAT(Sends(rules, rules.Evaluate("disk;a=1;b=2")), ElementsAre("[default]:disk;b=2;z=1"));
}

// As carbon.aggregator.rules builds them.
TEST(CarbonRulesTest, InputPatternsBecomeRegularExpressions) {
  EXPECT_EQ(CarbonInputRegex("<env>.applications.<app>.*.requests"),
            "\\A(?:(?P<env>[^.]+?)\\.applications\\.(?P<app>[^.]+?)\\.[^.]+\\.requests$)");
  EXPECT_EQ(CarbonInputRegex("a<<rest>>z"), "\\A(?:a(?P<rest>.+?)z$)");
  EXPECT_EQ(CarbonInputRegex("web*.x[12]"), "\\A(?:web[^.]*\\.x[12]$)");
}

TEST(CarbonRulesTest, AggregationRulesFeedAndForward) {
  CarbonRuleFiles files = RelayOnly();
  files.aggregation = {"aggregation-rules.conf",
                       "# all\n"
                       "<env>.apps.<app>.all.<what> (60) = sum <env>.apps.<app>.*.<<what>>\n"
                       "<env>.total (10) = p999 <env>.apps.*.*.requests\n"
                       "own.name (10) = count own.name\n"};
  files.rewrite = {"rewrite-rules.conf", "[post]\n\\.all\\. = .ALL.\n"};
  const RuleSet rules = MustCompile(files);
  const RuleOutcome outcome = rules.Evaluate("prod.apps.shop.web1.requests");
  EXPECT_THAT(Outputs(outcome), ElementsAre("prod.apps.shop.all.requests", "prod.total"));
  EXPECT_THAT(Sends(rules, outcome), ElementsAre("[default]:prod.apps.shop.web1.requests"));
  EXPECT_EQ(outcome.verdict, RuleVerdict::kSent);
  ASSERT_EQ(rules.aggregations().size(), 3u);
  EXPECT_EQ(rules.aggregations()[0].interval_sec, 60);
  EXPECT_EQ(rules.aggregations()[0].expire_sec, 300);
  EXPECT_EQ(rules.aggregations()[0].origin, "aggregation-rules.conf:2");
  EXPECT_EQ(rules.aggregations()[1].computes[0].method, AggregateMethod::kPercentile);
  EXPECT_EQ(rules.aggregations()[1].computes[0].percentile, 99.9);
  EXPECT_TRUE(rules.aggregations()[1].computes[0].interpolate);
  // Outputs go on behind the aggregation rules.
  EXPECT_THAT(Sends(rules, rules.EvaluateOutput("prod.apps.shop.all.requests", 0)),
              ElementsAre("[default]:prod.apps.shop.ALL.requests"));
  // A name that is its own output is not sent beside it.
  EXPECT_EQ(rules.Evaluate("own.name").verdict, RuleVerdict::kAggregated);
  EXPECT_THAT(rules.Evaluate("prod.apps.shop.web1").feeds, IsEmpty());
  EXPECT_THAT(rules.Evaluate("x.prod.apps.shop.web1.requests").feeds, IsEmpty());

  CarbonRuleOptions options;
  options.forward_all = false;
  const RuleSet alone = MustCompile(files, options);
  EXPECT_EQ(alone.Evaluate("prod.apps.shop.web1.requests").verdict, RuleVerdict::kAggregated);
  EXPECT_EQ(alone.Evaluate("other").verdict, RuleVerdict::kUnrouted);
}

// carbon's regular expression ends in "$", which belongs to the last alternative only.
TEST(CarbonRulesTest, AnAggregateIsTheWholeOutputWhateverPartMatches) {
  CarbonRuleFiles files = RelayOnly();
  files.aggregation = {"aggregation-rules.conf", "out (10) = sum a|b\n"};
  const RuleSet rules = MustCompile(files);
  EXPECT_THAT(Outputs(rules.Evaluate("ax")), ElementsAre("out"));
  EXPECT_THAT(Outputs(rules.Evaluate("bx")), IsEmpty());
}

TEST(CarbonRulesTest, ErrorsNameFileAndLine) {
  const auto with = [](RuleFile CarbonRuleFiles::*file, const std::string& text) {
    CarbonRuleFiles files = RelayOnly();
    files.*file = {"x.conf", text};
    return ErrorOf(files);
  };
  EXPECT_THAT(with(&CarbonRuleFiles::blacklist, "a\n(?!b)\n"), HasSubstr("x.conf:2: "));
  EXPECT_THAT(with(&CarbonRuleFiles::whitelist, "\n("), HasSubstr("x.conf:2: "));
  const auto rewrite = &CarbonRuleFiles::rewrite;
  EXPECT_THAT(with(rewrite, "a = b\n"), HasSubstr("x.conf:1: a rule before"));
  EXPECT_THAT(with(rewrite, "[pre]\nab\n"), HasSubstr("x.conf:2: neither"));
  EXPECT_THAT(with(rewrite, "[pre]\n(a)\\1 = b\n"), HasSubstr("x.conf:2: regular expression"));
  EXPECT_THAT(with(rewrite, "[pre]\na = \\1\n"), HasSubstr("x.conf:2: "));
  const auto aggregation = &CarbonRuleFiles::aggregation;
  for (const char* text : {"a\n", "a (60) = sum\n", "a = sum b\n", "a (60) x = sum b\n"}) {
    EXPECT_THAT(with(aggregation, text), HasSubstr("x.conf:1: an aggregation rule is")) << text;
  }
  EXPECT_THAT(with(aggregation, "a (0) = sum b"), HasSubstr("frequency"));
  EXPECT_THAT(with(aggregation, "a (x) = sum b"), HasSubstr("frequency"));
  EXPECT_THAT(with(aggregation, "a (99999999999) = sum b"), HasSubstr("frequency"));
  EXPECT_THAT(with(aggregation, "a (60) = mean b"), HasSubstr("\"mean\" is no method"));
  EXPECT_THAT(with(aggregation, "<a> (60) = sum b"), HasSubstr("names no field"));
  EXPECT_THAT(with(aggregation, "a (60) = sum <x>.<x>"),
              HasSubstr("x.conf:1: \"<x>.<x>\" has a field twice"));
  const auto relay = &CarbonRuleFiles::relay;
  EXPECT_THAT(with(relay, "[a]\npattern = x\n"), HasSubstr("x.conf:1: [a]: no destinations"));
  EXPECT_THAT(with(relay, "[a]\ndefault = true\ndestinations = x\n"), HasSubstr("x.conf:3: [a]"));
  EXPECT_THAT(with(relay, "[a]\ndefault = true\ndestinations = a:1,a:1\n"), HasSubstr("twice"));
  EXPECT_THAT(with(relay, "[a]\ndefault = true\ndestinations = ,\n"), HasSubstr("x.conf:3: "));
  EXPECT_THAT(with(relay, "[a]\npattern = x\ndestinations = a:1\n"), HasSubstr("default = true"));
  EXPECT_THAT(with(relay, "[a]\npattern = x\ndefault = true\ndestinations = a:1\n"),
              HasSubstr("x.conf:3: [a]: both"));
  EXPECT_THAT(with(relay, "[a]\ndefault = 2\ndestinations = a:1\n"), HasSubstr("x.conf:2: "));
  EXPECT_THAT(with(relay, "[a]\npattern = (\ndestinations = a:1\n"), HasSubstr("x.conf:2: "));
  EXPECT_THAT(with(relay, "[a]\npattern = x\ncontinue = maybe\ndestinations = a:1\n"),
              HasSubstr("x.conf:3: "));
  EXPECT_THAT(with(relay,
                   "[a]\ndefault = true\ndestinations = a:1\n"
                   "[b]\ndefault = true\ndestinations = a:1\n"),
              HasSubstr("x.conf:5: [b]: a second default"));
}

TEST(CarbonRulesTest, ExplainTellsEveryStep) {
  CarbonRuleFiles files = RelayOnly();
  files.blacklist = {"blacklist.conf", "^tmp\n"};
  files.rewrite = {"rewrite.conf", "[pre]\n^hosts = servers\n"};
  files.aggregation = {"aggregation.conf", "<a>.all (60) = sum <a>.*\n"};
  const RuleSet rules = MustCompile(files);
  EXPECT_THAT(rules.Explain("hosts.b"),
              ElementsAre("rewrite.conf:2: ^hosts rewrites it to servers.b",
                          HasSubstr("aggregates it: sum every 60 s into servers.all"),
                          "relay-rules.conf:2: [servers]: sent to [servers] (forward): "
                          "10.0.0.1:2004, 10.0.0.2:2004:b",
                          "relay-rules.conf:2: [servers]: stop", "verdict: sent"));
  EXPECT_THAT(rules.Explain("tmp.a"),
              ElementsAre("blacklist.conf:1: blacklisted by ^tmp", "verdict: blacklisted"));
}

}  // namespace
}  // namespace shoal
