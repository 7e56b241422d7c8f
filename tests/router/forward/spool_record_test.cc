#include "router/forward/spool_record.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

NodeBatch MakeBatch(size_t points, size_t names) {
  NodeBatch batch;
  auto book = std::make_shared<NameBook>(1000, 1 << 20);
  for (size_t i = 0; i < names; ++i) {
    const std::string name = absl::StrCat("a.b.", i);
    book->Add(name, name, 0);
  }
  batch.names = book;
  for (size_t i = 0; i < points; ++i) {
    batch.refs.push_back(static_cast<uint32_t>((i * 7) % names));
    batch.timestamps_sec.push_back(static_cast<uint32_t>(1'700'000'000 + i));
    batch.values.push_back(static_cast<double>(i) / 3);
    batch.indexes.push_back(static_cast<uint32_t>(i));
  }
  return batch;
}

TEST(SpoolRecordTest, ComesBackAsItWent) {
  for (const size_t points : {1, 2, 10, 1000}) {
    const NodeBatch batch = MakeBatch(points, 10);
    std::string record;
    EncodeSpoolRecord(batch, &record);
    SpooledBatch spooled;
    ASSERT_TRUE(DecodeSpoolRecord(record, &spooled).ok());
    EXPECT_EQ(*SpoolRecordPoints(record), points);
    EXPECT_LE(spooled.names.size(), 10u);
    ASSERT_EQ(spooled.refs.size(), points);
    EXPECT_EQ(spooled.timestamps_sec, batch.timestamps_sec);
    EXPECT_EQ(spooled.values, batch.values);
    for (size_t i = 0; i < points; ++i) {
      EXPECT_EQ(spooled.names[spooled.refs[i]], batch.names->name(batch.refs[i]));
    }
  }
}

TEST(SpoolRecordTest, GoldenBytes) {
  NodeBatch batch;
  auto book = std::make_shared<NameBook>(10, 1000);
  book->Add("x", "x", 0);
  book->Add("a.b", "a.b", 0);
  batch.names = book;
  batch.refs = {1, 0, 1};
  batch.timestamps_sec = {1, 2, 3};
  batch.values = {1.5, 0, -1};
  std::string record;
  EncodeSpoolRecord(batch, &record);
  const std::string expected(
      "\x01\x03\x02"
      "\x03"
      "a.b"
      "\x01"
      "x"
      "\0\0\0\0\1\0\0\0\0\0\0\0"
      "\1\0\0\0\2\0\0\0\3\0\0\0"
      "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\xbf",
      3 + 4 + 2 + 12 + 12 + 24);
  EXPECT_EQ(record, expected);
}

TEST(SpoolRecordTest, EveryTruncationIsDamage) {
  std::string record;
  EncodeSpoolRecord(MakeBatch(20, 5), &record);
  SpooledBatch spooled;
  for (size_t size = 0; size < record.size(); ++size) {
    EXPECT_EQ(DecodeSpoolRecord(absl::string_view(record).substr(0, size), &spooled).code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_FALSE(DecodeSpoolRecord(record + "x", &spooled).ok());
}

TEST(SpoolRecordTest, ChangedBytesAreDamageOrInBounds) {
  std::string record;
  EncodeSpoolRecord(MakeBatch(20, 5), &record);
  SpooledBatch spooled;
  for (size_t i = 0; i < record.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = record;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      if (!DecodeSpoolRecord(changed, &spooled).ok()) continue;
      ASSERT_EQ(spooled.refs.size(), spooled.values.size());
      for (const uint32_t ref : spooled.refs) ASSERT_LT(ref, spooled.names.size());
    }
  }
}

TEST(SpoolRecordTest, HugeCountsAllocateNothing) {
  SpooledBatch spooled;
  const std::string huge("\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\x7f", 15);
  EXPECT_EQ(DecodeSpoolRecord(huge, &spooled).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(SpoolRecordPoints(huge).ok());
}

}  // namespace
}  // namespace shoal
