#include "router/ingest/name_table.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr uint32_t kPartitions = 16384;

uint32_t MustFind(NameTable* table, const std::string& name) {
  uint32_t ref = UINT32_MAX;
  EXPECT_EQ(table->Find(name, &ref), NameError::kNone) << name;
  return ref;
}

TEST(NameTableTest, SameNameHasSameRefAcrossGrowth) {
  NameTable table({.partition_count = kPartitions});
  std::vector<uint32_t> refs;
  for (int i = 0; i < 10'000; ++i) refs.push_back(MustFind(&table, absl::StrCat("a.b.c", i)));
  for (int i = 0; i < 10'000; ++i) {
    const std::string name = absl::StrCat("a.b.c", i);
    ASSERT_EQ(MustFind(&table, name), refs[i]);
    ASSERT_EQ(table.book()->name(refs[i]), name);
    ASSERT_EQ(table.book()->partition(refs[i]), PartitionOf(name, kPartitions));
  }
  EXPECT_EQ(table.generations(), 1u);
  EXPECT_EQ(table.book()->size(), 10'000u);
}

TEST(NameTableTest, RefsAreRightInAnyOrderOfAsking) {
  NameTable table({.partition_count = kPartitions});
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back(absl::StrCat("order.n", i));
  std::vector<uint32_t> refs;
  for (const std::string& name : names) refs.push_back(MustFind(&table, name));
  uint64_t random = 1;
  for (int round = 0; round < 20; ++round) {
    for (size_t k = 0; k < names.size(); ++k) {
      size_t i = k;                                  // as they were first seen
      if (round % 4 == 1) i = names.size() - 1 - k;  // backwards
      if (round % 4 == 2) i = k / 2;                 // each twice
      if (round % 4 == 3) {                          // at random
        random = random * 6364136223846793005u + 1442695040888963407u;
        i = (random >> 33) % names.size();
      }
      ASSERT_EQ(MustFind(&table, names[i]), refs[i]) << names[i];
    }
  }
  uint32_t ref = 0;
  EXPECT_EQ(table.Find("order..n", &ref), NameError::kEmptyNode);
  EXPECT_EQ(MustFind(&table, "order.n0"), refs[0]);
  EXPECT_EQ(table.book()->size(), names.size());
}

TEST(NameTableTest, TaggedNamesAreCanonicalBeforeTheyAreHashed) {
  NameTable table({.partition_count = kPartitions});
  const uint32_t one = MustFind(&table, "disk.used;rack=a1;dc=x");
  const uint32_t other = MustFind(&table, "disk.used;dc=x;rack=a1");
  EXPECT_EQ(table.book()->name(one), "disk.used;dc=x;rack=a1");
  EXPECT_EQ(table.book()->name(other), "disk.used;dc=x;rack=a1");
  EXPECT_EQ(table.book()->partition(one), table.book()->partition(other));
}

TEST(NameTableTest, BadNamesAreRefusedByReasonAndNotKept) {
  NameTable table({.partition_count = kPartitions});
  uint32_t ref = 0;
  EXPECT_EQ(table.Find("a..b", &ref), NameError::kEmptyNode);
  EXPECT_EQ(table.Find("a/b", &ref), NameError::kBadByte);
  EXPECT_EQ(table.Find("a\xff", &ref), NameError::kBadByte);
  EXPECT_EQ(table.Find(std::string(5000, 'x'), &ref), NameError::kTooLong);
  EXPECT_EQ(table.Find("a;b", &ref), NameError::kBadTag);
  EXPECT_EQ(table.Find("", &ref), NameError::kEmpty);
  EXPECT_EQ(table.book()->size(), 0u);
}

TEST(NameTableTest, FullTableBeginsAGenerationAndOldRefsStayReadable) {
  NameTable table({.partition_count = kPartitions, .names_max = 100});
  const std::shared_ptr<NameBook> first = table.book();
  std::vector<uint32_t> refs;
  for (int i = 0; i < 100; ++i) refs.push_back(MustFind(&table, absl::StrCat("old.", i)));
  EXPECT_EQ(table.book(), first);
  EXPECT_EQ(MustFind(&table, "new.0"), 0u);
  EXPECT_NE(table.book(), first);
  EXPECT_NE(table.book()->id(), first->id());
  EXPECT_EQ(table.generations(), 2u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first->name(refs[i]), absl::StrCat("old.", i));
  EXPECT_EQ(table.book()->name(0), "new.0");
}

TEST(NameTableTest, BytesOfNamesAreBounded) {
  NameTable table({.partition_count = kPartitions, .names_max = 1 << 20, .bytes_max = 100'000});
  for (int i = 0; i < 1000; ++i) {
    MustFind(&table, absl::StrCat(std::string(500, 'x'), i));
    EXPECT_LE(table.book()->bytes(), 100'000u);
  }
  EXPECT_GT(table.generations(), 4u);
}

}  // namespace
}  // namespace shoal
