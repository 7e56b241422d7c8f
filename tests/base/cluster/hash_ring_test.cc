#include "base/cluster/hash_ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"

namespace shoal {
namespace {

using testing::HasSubstr;

std::vector<Destination> WithInstances() {
  return {{"10.0.0.1", 2003, "a"}, {"10.0.0.2", 2003, "b"}, {"10.0.0.3", 2003, "c"}};
}
std::vector<Destination> WithoutInstances() {
  return {{"10.0.0.1", 2003, {}}, {"10.0.0.2", 2003, {}}, {"10.0.0.3", 2003, {}}};
}

HashRing MustBuild(RingKind kind, std::vector<Destination> nodes, HashRing::Options options = {}) {
  auto ring = HashRing::Build(kind, std::move(nodes), options);
  if (!ring.ok()) ADD_FAILURE() << ring.status();
  return std::move(ring).value();
}

// The owners as a text of one letter each: 'a' is the first node.
std::string Owners(const HashRing& ring, absl::string_view key, size_t count = 3) {
  std::vector<uint16_t> owners(count);
  owners.resize(ring.Find(key, absl::MakeSpan(owners)));
  std::string text;
  for (const uint16_t owner : owners) text += static_cast<char>('a' + owner);
  return text;
}

// Made with carbon 1.1.7 and carbon-c-relay 3.7.3.
struct Vector {
  const char* name;
  uint16_t md5_position;
  const char* carbon_with;
  const char* carbon_without;
  uint16_t fnv_position;
  const char* fnv_with;
  const char* fnv_without;  // carbon-c-relay only
  uint64_t fnv64;
  const char* jump_with;
  uint32_t jump_of_ten;
};
constexpr Vector kVectors[] = {
    {"carbon.agents.host1.metricsReceived", 19503, "bca", "cab", 25037, "cab", "bca",
     0xe67d2639fb37d0af, "cab", 2},
    {"servers.web01.cpu.user", 28773, "bca", "bac", 22683, "cba", "bca", 0x819ed6e89dfd8235, "cba",
     2},
    {"servers.web02.cpu.user", 14538, "cab", "cba", 64460, "cba", "acb", 0xcd8991ed0792f3ae, "bac",
     3},
    {"servers.db-1.disk.sda.iops", 6270, "acb", "bac", 10344, "acb", "cba", 0xb60c39765dcbca15,
     "cba", 2},
    {"a", 3265, "cab", "bca", 52512, "acb", "cab", 0xaf63dc4c8601ec8c, "cab", 2},
    {"a.b.c", 21823, "acb", "bac", 34049, "abc", "abc", 0x066327b5131e437f, "bca", 1},
    {"stats.timers.checkout.upper_90", 51641, "bac", "bac", 9812, "bac", "abc", 0x20623af37242f394,
     "bca", 5},
    {"collectd.host_example_com.load.load-1m", 2747, "cab", "bac", 14925, "abc", "abc",
     0xdc8fb0554be21f07, "bac", 7},
    {"disk.used;datacenter=dc1;rack=a1;server=web01", 25258, "bca", "bac", 27028, "bac", "bac",
     0x9326af383f518183, "abc", 9},
    {"some.metric.with.a.rather.long.path.and.many.nodes.0001", 42526, "bca", "bca", 63785, "cab",
     "bac", 0x1b2b48a447466609, "bac", 1},
};

TEST(HashRingTest, OwnersAreThoseOfTheRelays) {
  for (const RingKind kind : {RingKind::kCarbonCh, RingKind::kCarbonChCrelay}) {
    const HashRing with = MustBuild(kind, WithInstances());
    const HashRing without = MustBuild(kind, WithoutInstances());
    for (const Vector& vector : kVectors) {
      EXPECT_EQ(with.Position(vector.name), vector.md5_position) << vector.name;
      EXPECT_EQ(Owners(with, vector.name), vector.carbon_with) << vector.name;
      EXPECT_EQ(Owners(without, vector.name), vector.carbon_without) << vector.name;
    }
  }
  for (const RingKind kind : {RingKind::kFnv1aCh, RingKind::kFnv1aChCrelay}) {
    const HashRing with = MustBuild(kind, WithInstances());
    for (const Vector& vector : kVectors) {
      EXPECT_EQ(with.Position(vector.name), vector.fnv_position) << vector.name;
      EXPECT_EQ(Owners(with, vector.name), vector.fnv_with) << vector.name;
    }
  }
  const HashRing fnv_without = MustBuild(RingKind::kFnv1aChCrelay, WithoutInstances());
  const HashRing jump = MustBuild(RingKind::kJumpFnv1aCh, WithInstances());
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(Owners(fnv_without, vector.name), vector.fnv_without) << vector.name;
    EXPECT_EQ(Fnv1a64(vector.name), vector.fnv64) << vector.name;
    EXPECT_EQ(Owners(jump, vector.name), vector.jump_with) << vector.name;
    EXPECT_EQ(JumpHash(Fnv1a64(vector.name), 10), vector.jump_of_ten) << vector.name;
  }
}

std::vector<std::pair<uint32_t, char>> Head(const HashRing& ring, size_t count) {
  std::vector<std::pair<uint32_t, char>> head;
  for (size_t i = 0; i < count; ++i) {
    head.emplace_back(ring.entries()[i].position, static_cast<char>('a' + ring.entries()[i].node));
  }
  return head;
}

TEST(HashRingTest, RingsHaveTheRelaysEntries) {
  using Entries = std::vector<std::pair<uint32_t, char>>;
  const HashRing with = MustBuild(RingKind::kCarbonCh, WithInstances());
  EXPECT_EQ(with.entries().size(), 300u);
  EXPECT_EQ(Head(with, 4), (Entries{{164, 'b'}, {332, 'a'}, {485, 'a'}, {635, 'c'}}));
  EXPECT_EQ(with.entries().back().position, 65223u);
  EXPECT_EQ(with.entries().back().node, 1);

  const HashRing without = MustBuild(RingKind::kCarbonCh, WithoutInstances());
  EXPECT_EQ(Head(without, 4), (Entries{{259, 'c'}, {437, 'b'}, {824, 'a'}, {884, 'a'}}));
  EXPECT_EQ(without.entries().back().position, 65511u);
  EXPECT_EQ(without.entries().back().node, 2);

  const HashRing fnv = MustBuild(RingKind::kFnv1aCh, WithInstances());
  EXPECT_EQ(Head(fnv, 4), (Entries{{218, 'b'}, {329, 'c'}, {536, 'b'}, {611, 'a'}}));
  EXPECT_EQ(fnv.entries().back().position, 65465u);
  EXPECT_EQ(fnv.entries().back().node, 0);
}

// Replica 66 of a and replica 93 of c both fall on 64160.
TEST(HashRingTest, TheRelaysDifferWherePositionsCollide) {
  const auto nodes_near = [](const HashRing& ring) {
    std::string text;
    for (const HashRing::Entry& entry : ring.entries()) {
      if (entry.position == 64160 || entry.position == 64161) {
        absl::StrAppend(&text, entry.position, std::string(1, static_cast<char>('a' + entry.node)),
                        " ");
      }
    }
    return text;
  };
  const HashRing carbon = MustBuild(RingKind::kCarbonCh, WithInstances());
  const HashRing crelay = MustBuild(RingKind::kCarbonChCrelay, WithInstances());
  EXPECT_EQ(nodes_near(carbon), "64160a 64161c ");
  EXPECT_EQ(nodes_near(crelay), "64160a ");
  EXPECT_EQ(crelay.Position("vec.collide.11709"), 64161);
  EXPECT_EQ(Owners(carbon, "vec.collide.11709"), "cba");
  EXPECT_EQ(Owners(crelay, "vec.collide.11709"), "bac");
}

TEST(HashRingTest, ARingWithMoreEntriesThanPositionsStillHasThemAll) {
  std::vector<Destination> nodes;
  for (int i = 0; i < 1000; ++i) nodes.push_back({absl::StrCat("h", i), 2003, "x"});
  const HashRing ring = MustBuild(RingKind::kCarbonCh, nodes);
  ASSERT_EQ(ring.entries().size(), 100'000u);
  for (size_t i = 1; i < ring.entries().size(); ++i) {
    ASSERT_LT(ring.entries()[i - 1].position, ring.entries()[i].position);
  }
  EXPECT_GT(ring.entries().back().position, 65535u);
}

TEST(HashRingTest, FindsNoMoreOwnersThanThereAre) {
  for (const RingKind kind : {RingKind::kCarbonCh, RingKind::kCarbonChCrelay, RingKind::kFnv1aCh,
                              RingKind::kFnv1aChCrelay, RingKind::kJumpFnv1aCh}) {
    SCOPED_TRACE(RingKindName(kind));
    const HashRing three = MustBuild(kind, WithInstances());
    EXPECT_EQ(Owners(three, "some.name", 0), "");
    EXPECT_EQ(Owners(three, "some.name", 1).size(), 1u);
    EXPECT_EQ(Owners(three, "some.name", 2), Owners(three, "some.name", 3).substr(0, 2));
    std::string all = Owners(three, "some.name", 10);
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, "abc");
    const HashRing one = MustBuild(kind, {{"10.0.0.1", 2003, "a"}});
    EXPECT_EQ(Owners(one, "some.name", 3), "a");
  }
}

TEST(HashRingTest, DiverseReplicasAreOnDistinctHosts) {
  const std::vector<Destination> nodes = {{"h1", 2004, "a"},
                                          {"h1", 2104, "b"},
                                          {"h2", 2004, "a"},
                                          {"h2", 2104, "b"},
                                          {"h3", 2004, "a"}};
  const HashRing distinct = MustBuild(RingKind::kCarbonCh, nodes);
  const HashRing diverse = MustBuild(RingKind::kCarbonCh, nodes, {.diverse_replicas = true});
  int same_host = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = absl::StrCat("name.", i);
    const std::string any = Owners(distinct, name, 2);
    const std::string apart = Owners(diverse, name, 5);
    ASSERT_EQ(apart.size(), 3u);
    EXPECT_EQ(apart[0], any[0]);
    const auto host = [&](char owner) { return nodes[static_cast<size_t>(owner - 'a')].host; };
    EXPECT_NE(host(apart[0]), host(apart[1]));
    EXPECT_NE(host(apart[0]), host(apart[2]));
    EXPECT_NE(host(apart[1]), host(apart[2]));
    if (host(any[0]) == host(any[1])) ++same_host;
  }
  EXPECT_GT(same_host, 100);
}

std::string Buckets(const std::vector<Destination>& nodes) {
  const HashRing ring = MustBuild(RingKind::kJumpFnv1aCh, nodes);
  std::string order(nodes.size(), '?');
  // Each bucket by the first owner of names that fall into it.
  for (int i = 0; i < 1000; ++i) {
    const std::string name = absl::StrCat("name.", i);
    order[JumpHash(Fnv1a64(name), static_cast<uint32_t>(nodes.size()))] = Owners(ring, name, 1)[0];
  }
  return order;
}

TEST(HashRingTest, JumpBucketsFollowTheInstances) {
  const auto node = [](const char* host, std::optional<std::string> instance) {
    return Destination{host, 2003, std::move(instance)};
  };
  EXPECT_EQ(Buckets({node("x", {}), node("y", {}), node("w", {})}), "abc");
  EXPECT_EQ(Buckets({node("x", "10"), node("y", "9"), node("w", "1")}), "cba");
  EXPECT_EQ(Buckets({node("x", "n10"), node("y", "n9"), node("w", "n1")}), "cab");
  EXPECT_EQ(Buckets({node("x", {}), node("y", "b"), node("z", {}), node("w", "a")}), "dbac");
  EXPECT_EQ(Buckets({node("x", "01"), node("y", "1"), node("w", "0")}), "cab");
}

std::string ErrorOf(RingKind kind, std::vector<Destination> nodes, HashRing::Options options = {}) {
  const auto ring = HashRing::Build(kind, std::move(nodes), options);
  return ring.ok() ? "" : std::string(ring.status().message());
}

TEST(HashRingTest, RefusesNodesThatTheHashCannotTellApart) {
  const std::vector<Destination> ports = {{"h", 2003, {}}, {"h", 2103, {}}};
  EXPECT_THAT(ErrorOf(RingKind::kCarbonCh, ports), HasSubstr("h:2003 and h:2103 are one"));
  EXPECT_THAT(ErrorOf(RingKind::kCarbonChCrelay, ports), HasSubstr("are one"));
  EXPECT_EQ(ErrorOf(RingKind::kFnv1aChCrelay, ports), "");
  EXPECT_EQ(ErrorOf(RingKind::kJumpFnv1aCh, ports), "");
  const std::vector<Destination> instances = {{"h", 2003, "a"}, {"i", 2003, "a"}};
  EXPECT_EQ(ErrorOf(RingKind::kCarbonCh, instances), "");
  EXPECT_EQ(ErrorOf(RingKind::kFnv1aCh, instances), "");
  EXPECT_THAT(ErrorOf(RingKind::kFnv1aChCrelay, instances), HasSubstr("are one"));
  EXPECT_THAT(ErrorOf(RingKind::kJumpFnv1aCh, {{"h", 2003, {}}, {"h", 2003, {}}}),
              HasSubstr("are one"));
}

TEST(HashRingTest, RefusesWhatItCannotPlace) {
  EXPECT_THAT(ErrorOf(RingKind::kCarbonCh, {}), HasSubstr("no destinations"));
  EXPECT_THAT(ErrorOf(RingKind::kFnv1aCh, WithoutInstances()), HasSubstr("needs an instance"));
  std::vector<Destination> many;
  for (size_t i = 0; i <= HashRing::kNodesMax; ++i) {
    many.push_back({absl::StrCat("h", i), 2003, {}});
  }
  EXPECT_THAT(ErrorOf(RingKind::kCarbonCh, many), HasSubstr("1001 destinations"));
  EXPECT_THAT(ErrorOf(RingKind::kJumpFnv1aCh, WithInstances(), {.diverse_replicas = true}),
              HasSubstr("distinct hosts"));
  // As numbers 9 < 10, as texts 10 < 1a < 9.
  EXPECT_THAT(
      ErrorOf(RingKind::kJumpFnv1aCh, {{"h", 2003, "9"}, {"h", 2004, "10"}, {"h", 2005, "1a"}}),
      HasSubstr("have no order"));
}

TEST(RingKindTest, NamesAreReadBack) {
  for (const RingKind kind : {RingKind::kCarbonCh, RingKind::kCarbonChCrelay, RingKind::kFnv1aCh,
                              RingKind::kFnv1aChCrelay, RingKind::kJumpFnv1aCh}) {
    EXPECT_EQ(ParseRingKind(RingKindName(kind)).value(), kind);
  }
  EXPECT_FALSE(ParseRingKind("carbon").ok());
}

}  // namespace
}  // namespace shoal
