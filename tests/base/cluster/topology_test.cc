#include "base/cluster/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

constexpr absl::string_view kHead = "cluster = \"c\"\n";

std::string ErrorOf(absl::string_view text) {
  const auto topology = Topology::Parse(text, "topology.toml");
  EXPECT_FALSE(topology.ok());
  return std::string(topology.status().message());
}

// A file of two good nodes, then `rest`.
std::string WithTwoNodes(absl::string_view head, absl::string_view rest) {
  return absl::StrCat(head,
                      "[[node]]\nname = \"a\"\naddress = \"h:1\"\n"
                      "[[node]]\nname = \"b\"\naddress = \"h:2\"\n",
                      rest);
}

TEST(TopologyTest, ReadsEveryField) {
  const auto topology = Topology::Parse(
      "cluster = \"quickstart\"\nepoch = 7\npartitions = 1024\nreplication = 2\n"
      "[[node]]\nname = \"node-1\"\naddress = \"127.0.0.1:7401\"\nhttp = \"127.0.0.1:7402\"\n"
      "zone = \"a\"\nweight = 2.5\nstate = \"leaving\"\n"
      "[[node]]\nname = \"node-2\"\naddress = \"[::1]:7401\"\n"
      "[[node]]\nname = \"node-3\"\naddress = \"h:7401\"\nstate = \"joining\"\n",
      "topology.toml");
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ(topology->cluster, "quickstart");
  EXPECT_EQ(topology->epoch, 7);
  EXPECT_EQ(topology->partitions, 1024u);
  EXPECT_EQ(topology->replication, 2);
  ASSERT_EQ(topology->nodes.size(), 3u);
  const TopologyNode& node = topology->nodes[0];
  EXPECT_EQ(node.name, "node-1");
  EXPECT_EQ(node.address, "127.0.0.1:7401");
  EXPECT_EQ(node.http, "127.0.0.1:7402");
  EXPECT_EQ(node.zone, "a");
  EXPECT_EQ(node.weight, 2.5);
  EXPECT_EQ(node.state, NodeState::kLeaving);
  EXPECT_EQ(topology->nodes[1].zone, "");
  EXPECT_EQ(topology->nodes[1].weight, 1.0);
  EXPECT_EQ(topology->nodes[1].state, NodeState::kActive);
  EXPECT_EQ(topology->nodes[2].state, NodeState::kJoining);
}

TEST(TopologyTest, DefaultsAreThoseOfTheHeader) {
  const auto topology = Topology::Parse(WithTwoNodes(kHead, ""), "topology.toml");
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ(topology->epoch, 1);
  EXPECT_EQ(topology->partitions, kDefaultPartitions);
  EXPECT_EQ(topology->replication, 2);
}

TEST(TopologyTest, ErrorsNameFileLineAndKey) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("cluster: missing"));
  EXPECT_THAT(ErrorOf(kHead), HasSubstr("node: no nodes"));
  EXPECT_EQ(ErrorOf(WithTwoNodes(kHead, "weigth = 1\n")),
            "topology.toml:8: node.1.weigth: unknown setting");
  EXPECT_EQ(ErrorOf(WithTwoNodes(kHead, "weight = 0\n")),
            "topology.toml:8: node.1.weight: expected 0.001 to 1e+06, found 0");
  EXPECT_THAT(ErrorOf(WithTwoNodes(kHead, "weight = -1\n")), HasSubstr("found -1"));
  EXPECT_EQ(ErrorOf(WithTwoNodes(kHead, "state = \"asleep\"\n")),
            "topology.toml:8: node.1.state: expected one of joining, active, leaving, down, found "
            "\"asleep\"");
  EXPECT_EQ(ErrorOf(WithTwoNodes("cluster = \"c\"\nreplication = 3\n", "")),
            "topology.toml:2: replication: is 3, but only 2 nodes hold data (joining nodes do not "
            "yet)");
  EXPECT_THAT(ErrorOf(WithTwoNodes(kHead, "state = \"joining\"\n")), HasSubstr("only 1 nodes"));
  EXPECT_THAT(ErrorOf(WithTwoNodes("cluster = \"c\"\npartitions = 0\n", "")),
              HasSubstr("topology.toml:2: partitions: expected 1"));
  EXPECT_THAT(ErrorOf(WithTwoNodes("cluster = \"c\"\nepoch = 0\n", "")),
              HasSubstr("topology.toml:2: epoch: expected 1"));
}

TEST(TopologyTest, NamesAndAddressesAreUnique) {
  EXPECT_EQ(ErrorOf(WithTwoNodes(kHead, "[[node]]\nname = \"a\"\naddress = \"h:3\"\n")),
            "topology.toml:9: node.2.name: \"a\" is already node.0.name");
  EXPECT_EQ(ErrorOf(WithTwoNodes(kHead, "[[node]]\nname = \"c\"\naddress = \"h:1\"\n")),
            "topology.toml:10: node.2.address: \"h:1\" is already node.0.address");
  EXPECT_EQ(ErrorOf(WithTwoNodes(kHead, "http = \"h:1\"\n")),
            "topology.toml:8: node.1.http: \"h:1\" is already node.0.address");
}

TEST(TopologyTest, NamesCannotBePathsAndAddressesMustBeCallable) {
  const auto node = [](absl::string_view name, absl::string_view address) {
    return ErrorOf(WithTwoNodes(
        kHead, absl::StrCat("[[node]]\nname = \"", name, "\"\naddress = \"", address, "\"\n")));
  };
  for (const char* name : {"", "..", "a/b", "a b", ".hidden", "n\\u0000"}) {
    EXPECT_THAT(node(name, "h:3"), HasSubstr("topology.toml:9: node.2.name: must be")) << name;
  }
  EXPECT_THAT(node(std::string(65, 'a'), "h:3"), HasSubstr("must be 1 to 64"));
  EXPECT_THAT(node("c", "h"), HasSubstr("topology.toml:10: node.2.address: \"h\": expected HOST"));
  EXPECT_THAT(node("c", "h:0"), HasSubstr("node.2.address: a port of 0"));
  EXPECT_THAT(ErrorOf(WithTwoNodes(kHead, "[[node]]\nname = \"c\"\n")),
              HasSubstr("topology.toml:8: node.2.address: missing"));
  EXPECT_THAT(ErrorOf(WithTwoNodes(kHead, "[[node]]\naddress = \"h:3\"\n")),
              HasSubstr("topology.toml:8: node.2.name: missing"));
  EXPECT_THAT(ErrorOf(WithTwoNodes(kHead, "zone = \"a b\"\n")), HasSubstr("node.1.zone: must be"));
}

TEST(TopologyTest, LoadReadsAFile) {
  const std::string path = ::testing::TempDir() + "/topology_test.toml";
  std::ofstream(path) << WithTwoNodes(kHead, "");
  const auto topology = Topology::Load(path);
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ(topology->nodes.size(), 2u);
  EXPECT_EQ(Topology::Load(path + ".missing").status().code(), absl::StatusCode::kNotFound);
}

TEST(NodeStateTest, HasNames) {
  EXPECT_STREQ(NodeStateName(NodeState::kDown), "down");
  EXPECT_STREQ(NodeStateName(NodeState::kJoining), "joining");
}

}  // namespace
}  // namespace shoal
