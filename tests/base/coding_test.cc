#include "base/coding.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/checksum.h"

namespace shoal {
namespace {

TEST(CodingTest, FixedWidthIsLittleEndian) {
  std::string bytes;
  AppendLE<uint32_t>(&bytes, 0x01020304);
  EXPECT_EQ(bytes, std::string("\x04\x03\x02\x01", 4));
  EXPECT_EQ(LoadLE<uint32_t>(bytes.data()), 0x01020304u);
}

TEST(CodingTest, VarintsRoundTripAtTheirEdges) {
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{16383}, uint64_t{16384},
        uint64_t{1} << 32, std::numeric_limits<uint64_t>::max()}) {
    std::string bytes;
    AppendVarint(&bytes, value);
    ByteReader reader(bytes);
    uint64_t read = 0;
    EXPECT_TRUE(reader.GetVarint(&read));
    EXPECT_EQ(read, value);
    EXPECT_TRUE(reader.empty());
    // Every cut is noticed.
    for (size_t size = 0; size < bytes.size(); ++size) {
      ByteReader cut(absl::string_view(bytes).substr(0, size));
      EXPECT_FALSE(cut.GetVarint(&read));
    }
  }
}

TEST(CodingTest, AVarintThatNeverEndsIsRefused) {
  const std::string bytes(20, '\xff');
  ByteReader reader(bytes);
  uint64_t value = 7;
  EXPECT_FALSE(reader.GetVarint(&value));
  EXPECT_EQ(value, 7u);
}

TEST(CodingTest, ALengthPastTheEndIsRefused) {
  std::string bytes;
  AppendVarint(&bytes, std::numeric_limits<uint64_t>::max());
  bytes += "abc";
  ByteReader reader(bytes);
  absl::string_view view;
  EXPECT_FALSE(reader.GetLengthPrefixed(&view));
}

TEST(CodingTest, FixedReadsStopAtTheEnd) {
  ByteReader reader("abc");
  uint32_t wide = 0;
  EXPECT_FALSE(reader.Get(&wide));
  uint16_t narrow = 0;
  EXPECT_TRUE(reader.Get(&narrow));
  EXPECT_EQ(reader.rest(), "c");
}

// Frozen: these values are on disks.
TEST(ChecksumTest, IsXxh3) {
  EXPECT_EQ(Hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(Checksum32(""), 0x38d394c2u);
  EXPECT_NE(Checksum32("page", 1), Checksum32("page", 2));
}

}  // namespace
}  // namespace shoal
