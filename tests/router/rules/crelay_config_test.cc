#include "router/rules/crelay_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
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

CrelayConfig MustParse(const std::string& text, const CrelayOptions& options = {}) {
  auto config = ParseCrelayConfig(text, "relay.conf", options);
  if (!config.ok()) ADD_FAILURE() << config.status();
  return config.ok() ? std::move(config).value() : CrelayConfig();
}

std::string ErrorOf(const std::string& text, const CrelayOptions& options = {}) {
  const auto config = ParseCrelayConfig(text, "relay.conf", options);
  if (config.ok()) return "";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

// "CLUSTER:name", and "/key" where another name is hashed.
std::vector<std::string> Sends(const RuleSet& rules, const RuleOutcome& outcome) {
  std::vector<std::string> sends;
  for (const RuleOutcome::Send& send : outcome.sends) {
    sends.push_back(absl::StrCat(rules.clusters()[send.cluster].name(), ":",
                                 outcome.names[send.name], send.key == send.name ? "" : "/",
                                 send.key == send.name ? "" : outcome.names[send.key]));
  }
  return sends;
}
std::vector<std::string> SendsOf(const CrelayConfig& config, absl::string_view name) {
  return Sends(config.rules, config.rules.Evaluate(name));
}

constexpr char kClusters[] =
    "cluster a forward 10.0.0.1:2003 10.0.0.2;\n"
    "cluster b any_of useall 10.0.1.1 10.0.1.2:2004;\n"
    "cluster f failover 10.0.2.1 10.0.2.2; cluster r carbon_ch 10.0.3.1 10.0.3.2;\n";

std::string WithClusters(const std::string& text) { return kClusters + text; }

TEST(CrelayConfigTest, ReadsEveryKindOfCluster) {
  const CrelayConfig config = MustParse(
      "# comment ; with everything in it \"\n"
      "cluster one forward 10.0.0.1 [::1]:2004 [2001:db8::1] localhost:1 proto tcp type linemode\n"
      "    transport plain;\n"
      "cluster two any_of useall h1 h2:2005;cluster three failover h1 h2 ;\n"
      "cluster four carbon_ch replication 2 dynamic\n"
      "    127.0.0.1:2006=a\n"
      "    127.0.0.1:2007 = b 127.0.0.1:2008 =c 127.0.0.1= \"d\"\n"
      "    ;\n"
      "cluster five fnv1a_ch h1 h2:2005=07;\n"
      "cluster six jump_fnv1a_ch replication 1 h1=1 h2=0;\n");
  const auto& clusters = config.rules.clusters();
  ASSERT_EQ(clusters.size(), 6u);
  const auto members = [&](size_t i) {
    return absl::StrJoin(clusters[i].members(), " ", [](std::string* to, const Destination& d) {
      to->append(DestinationText(d));
    });
  };
  EXPECT_EQ(clusters[0].kind(), ClusterKind::kForward);
  EXPECT_EQ(members(0), "10.0.0.1:2003 [::1]:2004 [2001:db8::1]:2003 localhost:1");
  EXPECT_EQ(clusters[1].Description(), "any_of useall");
  EXPECT_EQ(members(1), "h1:2003 h2:2005");
  EXPECT_EQ(clusters[2].Description(), "failover");
  EXPECT_EQ(clusters[3].Description(), "carbon_ch_crelay, replication 2, dynamic");
  EXPECT_EQ(members(3), "127.0.0.1:2006:a 127.0.0.1:2007:b 127.0.0.1:2008:c 127.0.0.1:2003:d");
  EXPECT_EQ(clusters[4].Description(), "fnv1a_ch_crelay, replication 1");
  EXPECT_EQ(members(4), "h1:2003 h2:2005:07");
  EXPECT_EQ(clusters[5].Description(), "jump_fnv1a_ch, replication 1");
}

TEST(CrelayConfigTest, MatchesFallThroughUntilOneStops) {
  const CrelayConfig config =
      MustParse(WithClusters("match ^sys\\. \\.cpu$ send to a;\n"
                             "match ^sys\\.\n  send to b f stop;\n"
                             "match unwanted send to blackhole;\n"
                             "match never_seen_behind_unwanted send to a;\n"
                             "match * send to f;\n"));
  EXPECT_THAT(SendsOf(config, "sys.x"), ElementsAre("a:sys.x", "b:sys.x", "f:sys.x"));
  EXPECT_THAT(SendsOf(config, "x.cpu"), ElementsAre("a:x.cpu", "f:x.cpu"));
  EXPECT_THAT(SendsOf(config, "other"), ElementsAre("f:other"));
  // Both expressions match: once.
  EXPECT_THAT(SendsOf(config, "sys.cpu"), ElementsAre("a:sys.cpu", "b:sys.cpu", "f:sys.cpu"));
  EXPECT_THAT(SendsOf(config, "unwanted.never_seen_behind_unwanted"), IsEmpty());
  EXPECT_EQ(config.rules.Evaluate("unwanted").verdict, RuleVerdict::kBlackholed);
  // What was sent before it stays sent.
  EXPECT_THAT(SendsOf(config, "unwanted.cpu"), ElementsAre("a:unwanted.cpu"));
  EXPECT_EQ(config.rules.Evaluate("unwanted.cpu").verdict, RuleVerdict::kSent);
  const CrelayConfig none = MustParse(WithClusters("match x send to a;"));
  EXPECT_EQ(none.rules.Evaluate("y").verdict, RuleVerdict::kUnrouted);
}

TEST(CrelayConfigTest, RewritesChangeWhatLaterRulesSee) {
  const CrelayConfig config = MustParse(
      WithClusters("match ^server send to a;\n"
                   "rewrite ^server\\.(x|y)\\.([A-Z]+)\\. into \"role.\\\\1.\\\\_2.\\\\.1\";\n"
                   "match ^role send to b stop;\n"
                   "match * send to f;\n"));
  // The text around the match stays.
  EXPECT_THAT(SendsOf(config, "server.x.ABC.cpu"),
              ElementsAre("a:server.x.ABC.cpu", "b:role.x.abc.xcpu"));
  EXPECT_THAT(SendsOf(config, "server.z.ABC.cpu"),
              ElementsAre("a:server.z.ABC.cpu", "f:server.z.ABC.cpu"));
  const CrelayConfig plain = MustParse(WithClusters("rewrite b into \\1z; match * send to a;"));
  // Without groups the replacement is taken as it is, and only the first match is replaced.
  EXPECT_EQ(plain.rules.Evaluate("abcb").names.back(), "a\\1zcb");
}

TEST(CrelayConfigTest, ExpressionsAreLeftmostLongest) {
  const CrelayConfig config =
      MustParse(WithClusters("rewrite (a|ab|abc) into <\\1>; match * send to a;"));
  EXPECT_THAT(SendsOf(config, "xabcd"), ElementsAre("a:x<abc>d"));
}

TEST(CrelayConfigTest, RouteUsingMakesRingsHashAnotherName) {
  const CrelayConfig config =
      MustParse(WithClusters("match ^(.+)\\.(cpu|disk)\\.(.+)$ route using \\1 send to r b stop;\n"
                             "match ^plain route using key send to r stop;"));
  EXPECT_THAT(SendsOf(config, "h1.cpu.user"), ElementsAre("r:h1.cpu.user/h1", "b:h1.cpu.user"));
  EXPECT_THAT(SendsOf(config, "plain.x"), ElementsAre("r:plain.x/key.x"));
  EXPECT_THAT(ErrorOf(WithClusters("match * route using x send to a;")), HasSubstr("expression"));
}

TEST(CrelayConfigTest, AggregatesFeedTheirOutputs) {
  const CrelayConfig config = MustParse(
      WithClusters("aggregate\n"
                   "    ^sys\\.(.+)\\.cpu$ ^net\\.(.+)\\.cpu$\n"
                   "  every 10 seconds expire after 35 seconds timestamp at start of bucket\n"
                   "  compute sum write to sys.all.\\1.sum\n"
                   "  compute percentile95 write to sys.all.\\1.p95\n"
                   "  compute maximum write to ..bad\n"
                   "  send to b stop;\n"
                   "aggregate * every 60 seconds expire after 120 seconds\n"
                   "  compute cnt write to all.count;\n"
                   "match * send to f stop;\n"));
  const RuleSet& rules = config.rules;
  const RuleOutcome outcome = rules.Evaluate("sys.h1.cpu");
  ASSERT_EQ(outcome.feeds.size(), 2u);
  EXPECT_EQ(outcome.names[outcome.feeds[0].output], "sys.all.h1.sum");
  EXPECT_EQ(outcome.names[outcome.feeds[1].output], "sys.all.h1.p95");
  EXPECT_EQ(outcome.bad_outputs, 1u);
  EXPECT_EQ(outcome.verdict, RuleVerdict::kAggregated);
  EXPECT_THAT(outcome.sends, IsEmpty());
  // The second one has no stop.
  const RuleOutcome other = rules.Evaluate("other.name");
  ASSERT_EQ(other.feeds.size(), 1u);
  EXPECT_EQ(other.names[other.feeds[0].output], "all.count");
  EXPECT_THAT(Sends(rules, other), ElementsAre("f:other.name"));

  ASSERT_EQ(rules.aggregations().size(), 2u);
  const Aggregation& first = rules.aggregations()[0];
  EXPECT_EQ(first.origin, "relay.conf:4");
  EXPECT_EQ(first.interval_sec, 10);
  EXPECT_EQ(first.expire_sec, 35);
  EXPECT_EQ(first.stamp, BucketStamp::kStart);
  ASSERT_EQ(first.computes.size(), 3u);
  EXPECT_EQ(first.computes[1].method, AggregateMethod::kPercentile);
  EXPECT_EQ(first.computes[1].percentile, 95);
  EXPECT_FALSE(first.computes[1].interpolate);
  EXPECT_EQ(rules.aggregations()[1].stamp, BucketStamp::kEnd);
  // Outputs go where the rule says, or through all rules again.
  EXPECT_THAT(Sends(rules, rules.EvaluateOutput("sys.all.h1.sum", 0)),
              ElementsAre("b:sys.all.h1.sum"));
  EXPECT_THAT(Sends(rules, rules.EvaluateOutput("all.count", 1)), ElementsAre("f:all.count"));
}

TEST(CrelayConfigTest, ReadsListenersAndStatistics) {
  const CrelayConfig config =
      MustParse(WithClusters("listen type linemode transport plain\n"
                             "    2003 proto tcp 127.0.0.1:2103 proto udp [::1]:2203 proto tcp\n"
                             "    /tmp/relay.sock proto unix;\n"
                             "listen type linemode 2303 proto udp;\n"
                             "statistics submit every 30 seconds reset counters after interval\n"
                             "    prefix with carbon.relays.\\_2 send to a b stop;\n"));
  ASSERT_EQ(config.listeners.size(), 5u);
  EXPECT_EQ(config.listeners[0].port, 2003);
  EXPECT_EQ(config.listeners[0].address, "");
  EXPECT_EQ(config.listeners[1].protocol, CrelayListener::Protocol::kUdp);
  EXPECT_EQ(config.listeners[1].address, "127.0.0.1");
  EXPECT_EQ(config.listeners[2].address, "::1");
  EXPECT_EQ(config.listeners[2].port, 2203);
  EXPECT_EQ(config.listeners[3].protocol, CrelayListener::Protocol::kUnix);
  EXPECT_EQ(config.listeners[3].address, "/tmp/relay.sock");
  EXPECT_EQ(config.listeners[4].port, 2303);
  ASSERT_TRUE(config.statistics.has_value());
  EXPECT_EQ(config.statistics->interval_sec, 30);
  EXPECT_TRUE(config.statistics->reset_counters);
  EXPECT_EQ(config.statistics->prefix, "carbon.relays.\\_2");
  EXPECT_THAT(config.statistics->clusters, ElementsAre("a", "b"));
  EXPECT_FALSE(MustParse(kClusters).statistics.has_value());
  EXPECT_THAT(MustParse(WithClusters("send statistics to f stop;")).statistics->clusters,
              ElementsAre("f"));
}

TEST(CrelayConfigTest, IncludesAreReadInPlace) {
  std::map<std::string, std::string> files = {
      {"/etc/clusters", "cluster a forward h1;\n"},
      {"/etc/loop", "include /etc/loop;\n"},
      {"/etc/bad", "cluster a forward h1;\nmatch * send to b;\n"}};
  CrelayOptions options;
  options.include =
      [&](const std::string& path) -> absl::StatusOr<std::vector<CrelayOptions::IncludedFile>> {
    if (!files.contains(path)) return absl::NotFoundError(absl::StrCat(path, ": not found"));
    return std::vector<CrelayOptions::IncludedFile>{{path, files[path]}};
  };
  const CrelayConfig config = MustParse("include /etc/clusters;\nmatch * send to a;\n", options);
  EXPECT_THAT(SendsOf(config, "x"), ElementsAre("a:x"));
  EXPECT_THAT(ErrorOf("\ninclude /etc/absent;", options),
              HasSubstr("relay.conf:2: /etc/absent: not found"));
  EXPECT_THAT(ErrorOf("include /etc/bad;", options), HasSubstr("/etc/bad:2: no cluster"));
  EXPECT_THAT(ErrorOf("include /etc/loop;", options), HasSubstr("a loop?"));
  EXPECT_THAT(ErrorOf("include /etc/clusters;"), HasSubstr("not supported here"));
}

TEST(CrelayConfigTest, KnownClustersNeedNoDefinition) {
  CrelayOptions options;
  options.clusters.push_back(RelayCluster::Shoal("main"));
  EXPECT_THAT(SendsOf(MustParse("match * send to main;", options), "x"), ElementsAre("main:x"));
  EXPECT_THAT(ErrorOf("cluster main forward h1;", options), HasSubstr("defined twice"));
}

TEST(CrelayConfigTest, WhatIsNotSupportedIsNamedWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\ncluster x file ip /tmp/x;", "relay.conf:2: \"file\""},
      {"cluster x forward\nh1 proto udp;", "relay.conf:2: \"proto udp\""},
      {"cluster x forward h1 type syslog;", "\"type syslog\""},
      {"cluster x forward h1 transport gzip;", "\"transport gzip\""},
      {"cluster x forward h1 transport plain ssl;", "\"ssl\""},
      {"cluster x forward h1 transport plain mtls a b;", "\"mtls\""},
      {"match * validate ^[0-9]+ else drop;", "relay.conf:1: \"validate\""},
      {"listen type linemode transport lz4 2003 proto tcp;", "\"transport lz4\""},
      {"listen type linemode transport plain ssl /a 2003 proto tcp;", "\"ssl\""},
      {"aggregate a every 1 seconds expire after 2 seconds compute sum write to b send to "
       "blackhole;",
       "\"aggregate ... send to blackhole\""},
  };
  for (const auto& [text, clause] : cases) {
    EXPECT_THAT(ErrorOf(text), HasSubstr(clause + " is not supported")) << text;
  }
}

TEST(CrelayConfigTest, SyntaxErrorsSayWhatWasExpected) {
  const std::string aggregate = "aggregate a every 10 seconds expire after 20 seconds ";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"clusters a forward h1;", "relay.conf:1: expected cluster, match"},
      {"cluster a forward h1", "expected ';', not the end of the file"},
      {"cluster a forward;", "expected a destination, not ;"},
      {"cluster a h1;", "expected forward, any_of"},
      {"cluster ;", "expected the name of the cluster"},
      {"cluster a carbon_ch replication 0 h1;", "expected a count of copies from 1 to 255"},
      {"cluster a carbon_ch replication 2 h1;", "replication 2 with 1 destinations"},
      {"cluster a carbon_ch h1:1 h1:2;", "are one to this hash"},
      {"cluster a forward h1:0;", "\"h1:0\" is not HOST:PORT"},
      {"cluster a forward h1:x;", "is not HOST:PORT"},
      {"cluster a forward [::1;", "is not HOST:PORT"},
      {"cluster a forward h1=;", "expected an instance"},
      {"cluster a forward h$;", "not a host name"},
      {"cluster a forward h1;\ncluster a forward h1;", "relay.conf:2: cluster a is defined twice"},
      {"match x send to nowhere;", "no cluster is called nowhere"},
      {"match ( send to a;", "regular expression \"(\""},
      {"match x to a;", "expected \"send\""},
      {"match ;", "expected an expression"},
      {"rewrite * into x;", "expected an expression"},
      {"rewrite (a) into \\2;", "group 2 is used"},
      {"rewrite a x;", "expected \"into\""},
      {"aggregate a every 0 seconds;", "an interval from 1"},
      {"aggregate a every 10 seconds expire after 10 seconds compute sum write to b;",
       "longer than the interval"},
      {aggregate + ";", "expected \"compute\""},
      {aggregate + "compute mean write to b;", "expected sum, count"},
      {aggregate + "compute percentile100 write to b;", "percentile1 to percentile99"},
      {aggregate + "compute percentile write to b;", "percentile1 to percentile99"},
      {aggregate + "compute sum write to \\1\\2;", ""},
      {aggregate + "timestamp at noon of bucket;", "expected start, middle or end"},
      {"listen type linemode 70000 proto tcp;", "\"70000\" is not ADDRESS:PORT"},
      {"listen type linemode h:x proto tcp;", "is not ADDRESS:PORT"},
      {"statistics submit every x seconds;", "an interval from 1"},
      {"match \"a send to b;", "relay.conf:1: a quoted text without its end"},
      {"match \"\" send to b;", "an empty text"},
      {"match a~b send to b;", "unexpected \"~\""},
  };
  for (const auto& [text, message] : cases) EXPECT_THAT(ErrorOf(text), HasSubstr(message)) << text;
}

}  // namespace
}  // namespace shoal
