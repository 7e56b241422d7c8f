#include "base/cluster/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/checksum.h"

namespace shoal {
namespace {

// Frozen: a change here would look for all data in the wrong place.
TEST(NameHashTest, GoldenVectors) {
  EXPECT_EQ(NameHash(""), 0x2d06800538d394c2u);
  EXPECT_EQ(NameHash("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(NameHash("servers.web01.cpu.user"), 0x9543a827fbeb4fd0u);
  EXPECT_EQ(NameHash("disk.used;datacenter=dc1;rack=a1;server=web01"), 0xda49775d64472d9du);
  EXPECT_EQ(PartitionOf("servers.web01.cpu.user", 16384), 0x9543a827fbeb4fd0u % 16384);
}

TEST(Fnv1aTest, GoldenVectors) {
  EXPECT_EQ(Fnv1a32(""), 0x811c9dc5u);
  EXPECT_EQ(Fnv1a32("foobar"), 0xbf9cf968u);
  EXPECT_EQ(Fnv1a64(""), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a64("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(Fnv1a64("servers.web01.cpu.user"), 0x819ed6e89dfd8235u);
}

TEST(JumpHashTest, AGrowingClusterMovesNamesOnlyToTheNewBucket) {
  for (uint64_t i = 0; i < 10'000; ++i) {
    const uint64_t hash = NameHash(std::to_string(i));
    EXPECT_EQ(JumpHash(hash, 1), 0u);
    const uint32_t of_ten = JumpHash(hash, 10);
    const uint32_t of_eleven = JumpHash(hash, 11);
    EXPECT_TRUE(of_eleven == of_ten || of_eleven == 10) << i;
  }
}

TEST(PartitionOfTest, NamesSpreadEvenly) {
  std::vector<int> counts(64);
  for (int i = 0; i < 64000; ++i) {
    ++counts[PartitionOf("servers.web" + std::to_string(i) + ".cpu.user", 64)];
  }
  // Six standard deviations around 1000.
  for (const int count : counts) EXPECT_NEAR(count, 1000, 190);
}

}  // namespace
}  // namespace shoal
