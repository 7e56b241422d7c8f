#include "router/rules/relay_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Destination> Members(int count) {
  std::vector<Destination> members;
  for (int i = 0; i < count; ++i) members.push_back({absl::StrCat("10.0.0.", i), 2003, {}});
  return members;
}

std::vector<uint16_t> Find(const RelayCluster& cluster, absl::string_view key) {
  std::vector<uint16_t> found(cluster.candidates());
  found.resize(cluster.Find(key, absl::MakeSpan(found)));
  return found;
}

TEST(RelayClusterTest, ForwardSendsToEveryMember) {
  const RelayCluster cluster = RelayCluster::Forward("f", Members(3)).value();
  EXPECT_FALSE(cluster.FirstUp());
  EXPECT_THAT(Find(cluster, "any.name"), ElementsAre(0, 1, 2));
}

TEST(RelayClusterTest, FailoverKeepsTheOrderOfTheFile) {
  const RelayCluster cluster = RelayCluster::Failover("f", Members(3)).value();
  EXPECT_TRUE(cluster.FirstUp());
  EXPECT_THAT(Find(cluster, "any.name"), ElementsAre(0, 1, 2));
}

// The members as carbon-c-relay 3.7.3 picks them.
TEST(RelayClusterTest, AnyOfPicksCarbonCRelaysMember) {
  const RelayCluster cluster = RelayCluster::AnyOf("a", Members(3)).value();
  EXPECT_TRUE(cluster.FirstUp());
  const std::vector<std::pair<const char*, uint16_t>> expected = {
      {"a", 1},
      {"a.b.c", 0},
      {"servers.web01.cpu.user", 1},
      {"servers.web02.cpu.user", 1},
      {"stats.timers.checkout.upper_90", 1},
      {"collectd.host_example_com.load.load-1m", 0},
  };
  for (const auto& [name, member] : expected) EXPECT_EQ(Find(cluster, name)[0], member) << name;
}

TEST(RelayClusterTest, AnyOfSpreadsWhatAMemberCannotTake) {
  const RelayCluster cluster = RelayCluster::AnyOf("a", Members(5)).value();
  std::map<uint16_t, int> second_of_two;
  for (int i = 0; i < 10'000; ++i) {
    std::vector<uint16_t> found = Find(cluster, absl::StrCat("name.", i));
    if (found[0] == 2) ++second_of_two[found[1]];
    std::sort(found.begin(), found.end());
    ASSERT_THAT(found, ElementsAre(0, 1, 2, 3, 4));
  }
  EXPECT_EQ(second_of_two.size(), 4u);
  // About 500 each.
  for (const auto& [member, count] : second_of_two) EXPECT_NEAR(count, 500, 130) << member;
  EXPECT_THAT(Find(RelayCluster::AnyOf("a", Members(1)).value(), "x"), ElementsAre(0));
}

TEST(RelayClusterTest, RingsHaveAsManyCandidatesAsCopies) {
  const RelayCluster cluster =
      RelayCluster::Ring("r", RingKind::kCarbonCh, Members(5), 2, {}).value();
  EXPECT_FALSE(cluster.FirstUp());
  EXPECT_EQ(cluster.members().size(), 5u);
  EXPECT_EQ(cluster.candidates(), 2u);
  std::array<uint16_t, 5> found;
  EXPECT_EQ(cluster.Find("any.name", absl::MakeSpan(found)), 2u);
  EXPECT_EQ(cluster.Description(), "carbon_ch, replication 2");
}

TEST(RelayClusterTest, RefusesImpossibleClusters) {
  EXPECT_THAT(std::string(RelayCluster::Forward("f", {}).status().message()),
              HasSubstr("cluster f: no destinations"));
  EXPECT_FALSE(RelayCluster::AnyOf("a", Members(1001)).ok());
  for (const size_t replication : {0, 4}) {
    EXPECT_THAT(
        std::string(RelayCluster::Ring("r", RingKind::kCarbonCh, Members(3), replication, {})
                        .status()
                        .message()),
        HasSubstr("cluster r: replication"));
  }
  EXPECT_THAT(
      std::string(
          RelayCluster::Ring("r", RingKind::kFnv1aCh, Members(3), 1, {}).status().message()),
      HasSubstr("cluster r: fnv1a_ch"));
}

}  // namespace
}  // namespace shoal
