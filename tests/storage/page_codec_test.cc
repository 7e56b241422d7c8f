#include "storage/page/page_codec.h"
#include "storage/page/size_class.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/metric/series.h"
#include "gtest/gtest.h"
#include "storage/page/bit_packing.h"
#include "storage/page/encodings.h"

namespace shoal {
namespace {

constexpr uint64_t kSeed = 0x1234;

PageShape FullShape(uint32_t steps, uint8_t columns = 1) {
  return {steps, columns, PageBytesFor(kFullSizeClass, steps, columns)};
}

uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

// Equal bits where the first column is known; absent where it is not.
void ExpectSame(const PageShape& shape, const std::vector<double>& want,
                const std::vector<double>& got) {
  for (uint32_t step = 0; step < shape.steps; ++step) {
    const bool known = !std::isnan(want[step]);
    ASSERT_EQ(known, !std::isnan(got[step])) << "step " << step;
    for (uint8_t column = 0; known && column < shape.columns; ++column) {
      const size_t cell = size_t{column} * shape.steps + step;
      ASSERT_EQ(Bits(want[cell]), Bits(got[cell])) << "column " << int{column} << " step " << step;
    }
  }
}

// Encodes, checks, decodes, compares; returns the bytes of the page without padding.
void RoundTrip(const PageShape& shape, const std::vector<double>& dense) {
  const PageTag tag{77, 3'320'312, 9};
  std::string page(shape.page_bytes, '\xee');
  ASSERT_TRUE(EncodePage(shape, kSeed, tag, dense, page.data()));
  PageHeader header;
  ASSERT_TRUE(CheckPage(shape, kSeed, page, &header).ok());
  EXPECT_EQ(header.tag, tag);
  EXPECT_FALSE(header.blank);
  std::vector<double> got(shape.cells(), -1);
  ASSERT_TRUE(DecodePage(shape, page, absl::MakeSpan(got)).ok());
  ExpectSame(shape, dense, got);
}

std::string EncodeAlone(const std::vector<double>& values) {
  std::string bytes(ColumnBytesMax(values.size()), '\0');
  ColumnSize size;
  EXPECT_TRUE(EncodeColumn(values, bytes.data(), bytes.size(), &size));
  bytes.resize(size.bytes);
  return bytes;
}

// A family of series as they occur in the field, and as they hopefully do not.
std::vector<double> Shape(int kind, size_t count, std::mt19937_64* random) {
  const double specials[] = {0.0,
                             -0.0,
                             std::numeric_limits<double>::denorm_min(),
                             -std::numeric_limits<double>::denorm_min(),
                             std::numeric_limits<double>::min(),
                             std::numeric_limits<double>::max(),
                             -std::numeric_limits<double>::max(),
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(),
                             1e308,
                             0.1,
                             0.1 + 0.2,
                             9007199254740992.0,
                             9007199254740993.0,
                             -9007199254740992.0,
                             9007199254740991.0,
                             1e15,
                             123456789.123456789};
  std::vector<double> values(count);
  double level = static_cast<double>((*random)() % 100000);
  for (double& value : values) {
    const uint64_t r = (*random)();
    switch (kind) {
      case 0:
        value = 42.5;
        break;
      case 1:
        value = level += static_cast<double>(r % 1000);
        break;
      case 2:
        value = std::round(5000 + static_cast<double>(r % 2000)) / 100;
        break;
      case 3:
        value = std::bit_cast<double>(r);
        break;
      case 4:
        value = specials[r % std::size(specials)];
        break;
      case 5:
        value = static_cast<double>(static_cast<int64_t>(r));
        break;
      case 6:
        value = static_cast<double>(r % 1000) / 1e15;
        break;
      default:
        value = (r % 2 == 0 ? -1 : 1) * static_cast<double>(r >> 11);
        break;
    }
    if (std::isnan(value)) value = 1.5;
  }
  return values;
}
constexpr int kShapes = 8;

TEST(BitStream, EveryWidthAndCountComesBack) {
  std::mt19937_64 random(1);
  for (int width = 0; width <= 64; ++width) {
    for (const size_t count : {1, 2, 7, 63, 64}) {
      std::vector<uint64_t> values(count);
      for (uint64_t& value : values) value = width == 0 ? 0 : random() >> (64 - width);
      std::string bytes(PackedBytes(count, width), '\0');
      PackBits(values.data(), count, width, bytes.data());
      for (const size_t slack : {0, 3, 16}) {
        const std::string padded = bytes + std::string(slack, '\xff');
        std::vector<uint64_t> got(count, 1);
        UnpackBits(padded.data(), count, width, 0, got.data());
        ASSERT_EQ(got, values) << "width " << width << " count " << count << " slack " << slack;
      }
    }
  }
}

TEST(BitStream, ZigZagCoversTheExtremes) {
  const int64_t low = std::numeric_limits<int64_t>::min();
  const int64_t high = std::numeric_limits<int64_t>::max();
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, low, high}) {
    EXPECT_EQ(UnZigZag(ZigZag(value)), value);
  }
  EXPECT_EQ(ZigZag(-1), 1u);
}

TEST(Encodings, RoomIsRespected) {
  std::mt19937_64 random(5);
  for (int kind = 0; kind < kShapes; ++kind) {
    const std::vector<double> values = Shape(kind, 70, &random);
    const size_t size = EncodeAlone(values).size();
    std::string to(size + 8, '\x5a');
    ColumnSize encoded;
    EXPECT_TRUE(EncodeColumn(values, to.data(), size, &encoded));
    EXPECT_EQ(encoded.bytes, size);
    EXPECT_EQ(to.substr(size), std::string(8, '\x5a'));
    std::string small(size - 1, '\0');
    EXPECT_FALSE(EncodeColumn(values, small.data(), small.size(), &encoded));
  }
}

TEST(PageCodec, EveryShapeAtEveryFillLevelComesBackExactly) {
  std::mt19937_64 random(6);
  for (const uint32_t steps : {1u, 2u, 9u, 64u, 512u}) {
    for (int kind = 0; kind < kShapes; ++kind) {
      for (int trial = 0; trial < 12; ++trial) {
        for (const uint8_t columns : {uint8_t{1}, uint8_t{2}}) {
          const PageShape shape = FullShape(steps, columns);
          std::vector<double> dense = Shape(kind, shape.cells(), &random);
          const uint64_t absent_of_16 = static_cast<uint64_t>(trial % 17);
          const uint32_t kept = static_cast<uint32_t>(random() % steps);
          for (uint32_t step = 0; step < steps; ++step) {
            if (step != kept && random() % 16 < absent_of_16) dense[step] = kAbsent;
          }
          RoundTrip(shape, dense);
          if (HasFatalFailure())
            FAIL() << "steps " << steps << " kind " << kind << " trial " << trial;
        }
      }
    }
  }
}

TEST(PageCodec, EveryGaplessRunComesBack) {
  const PageShape shape = FullShape(24);
  for (uint32_t first = 0; first < shape.steps; ++first) {
    for (uint32_t end = first + 1; end <= shape.steps; ++end) {
      std::vector<double> dense(shape.cells(), kAbsent);
      for (uint32_t step = first; step < end; ++step) dense[step] = step * 1.5;
      RoundTrip(shape, dense);
    }
  }
}

TEST(PageCodec, FullClassHoldsAnything) {
  std::mt19937_64 random(7);
  for (const uint32_t steps : {1u, 7u, 512u, 1000u}) {
    for (const uint8_t columns : {uint8_t{1}, uint8_t{2}, uint8_t{4}}) {
      const PageShape shape = FullShape(steps, columns);
      std::vector<double> dense = Shape(3, shape.cells(), &random);
      std::string page(shape.page_bytes, '\0');
      EXPECT_TRUE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, dense, page.data()));
      if (steps > 3) {  // with the bitmap
        dense[1] = kAbsent;
        EXPECT_TRUE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, dense, page.data()));
      }
    }
  }
}

TEST(PageCodec, SaysWhenPointsDoNotFit) {
  std::mt19937_64 random(8);
  const PageShape shape{512, 1, PageBytesFor(32, 512, 1)};
  std::string page(shape.page_bytes, '\0');
  EXPECT_FALSE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, Shape(3, 512, &random), page.data()));
  EXPECT_TRUE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, Shape(2, 512, &random), page.data()));
}

TEST(PageCodec, BlankPageIsNoData) {
  const PageShape shape = FullShape(64);
  PageHeader header;
  ASSERT_TRUE(CheckPage(shape, kSeed, std::string(shape.page_bytes, '\0'), &header).ok());
  EXPECT_TRUE(header.blank);
}

TEST(PageCodec, PageOfAnotherPlaceFailsTheCheck) {
  const PageShape shape = FullShape(64);
  std::string page(shape.page_bytes, '\0');
  ASSERT_TRUE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, std::vector<double>(64, 1), page.data()));
  PageHeader header;
  EXPECT_EQ(CheckPage(shape, kSeed + 1, page, &header).code(), absl::StatusCode::kDataLoss);
}

TEST(PageCodec, AnySingleBitFlipIsDetected) {
  std::mt19937_64 random(9);
  const PageShape shape{64, 1, PageBytesFor(32, 64, 1)};
  std::vector<double> dense = Shape(2, 64, &random);
  dense[5] = kAbsent;
  std::string page(shape.page_bytes, '\0');
  ASSERT_TRUE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, dense, page.data()));
  for (size_t bit = 0; bit < page.size() * 8; ++bit) {
    std::string bad = page;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    PageHeader header;
    ASSERT_FALSE(CheckPage(shape, kSeed, bad, &header).ok()) << "bit " << bit;
  }
  for (size_t size = 0; size < page.size();
       ++size) {  // the rest reads as zeros, as past the end of a file
    std::string cut = page.substr(0, size);
    cut.resize(page.size(), '\0');
    if (cut == page) continue;  // only padding was cut
    PageHeader header;
    const bool ok = CheckPage(shape, kSeed, cut, &header).ok();
    ASSERT_TRUE(!ok || header.blank) << "size " << size;
  }
}

TEST(PageCodec, FewGapsAreListedManyHaveABitmap) {
  const PageShape shape = FullShape(512);
  std::vector<double> dense(512, 7.0);
  const size_t gapless = MeasurePage(shape, dense).bytes;
  dense[100] = kAbsent;
  EXPECT_EQ(MeasurePage(shape, dense).bytes, gapless + 4);  // runs of 100 and 411, a gap of 1
  RoundTrip(shape, dense);
  for (size_t i = 0; i < 200; ++i) dense[2 * i + 1] = kAbsent;
  EXPECT_EQ(MeasurePage(shape, dense).bytes, gapless + 62);  // 64 bytes instead of 2
  RoundTrip(shape, dense);
}

TEST(PageCodec, MalformedPresenceIsRefused) {
  const auto accepts = [](int kind, uint16_t count, const std::string& presence) {
    const PageShape shape{20, 1, 64};
    std::string page(16, '\0');
    StoreLE<uint16_t>(page.data() + 12, count);
    page[14] = static_cast<char>(kind << 4 | 1);
    page += presence + std::string("\x01\0\0\0\0\0\0\xf8\x3f", 9);
    std::vector<double> got(shape.cells());
    return DecodePage(shape, page, absl::MakeSpan(got)).ok();
  };
  using std::string;
  EXPECT_TRUE(accepts(0, 20, string("\0\0", 2)));
  EXPECT_FALSE(accepts(0, 20, string("\1\0", 2))) << "run leaves the steps";
  EXPECT_FALSE(accepts(0, 1, string("\x14\0", 2))) << "begins after the steps";
  EXPECT_TRUE(accepts(1, 3, string("\7\0\0", 3)));
  EXPECT_FALSE(accepts(1, 4, string("\7\0\0", 3))) << "bits and count";
  EXPECT_FALSE(accepts(1, 3, string("\3\0\x10", 3))) << "spare bit";
  EXPECT_TRUE(accepts(2, 5, string("\1\0\2\x0e\3", 5)));
  EXPECT_FALSE(accepts(2, 5, string("\1\0\2\x0f\3", 5))) << "run leaves the steps";
  EXPECT_FALSE(accepts(2, 5, string("\1\0\2\x0e\4", 5))) << "run and count";
  EXPECT_FALSE(accepts(2, 5, string("\1\0\2\x00\3", 5))) << "gap of nothing";
  EXPECT_FALSE(accepts(2, 5, string("\1\0\0\x02\5", 5))) << "run of nothing";
  EXPECT_FALSE(accepts(3, 20, string("\0\0", 2))) << "unknown kind";
}

TEST(PageCodec, BytesWithoutTheirChecksumNeverHarm) {
  std::mt19937_64 random(10);
  const PageShape shape = FullShape(64, 2);
  std::string page(shape.page_bytes, '\0');
  for (int trial = 0; trial < 20000; ++trial) {
    const std::vector<double> dense = Shape(trial % kShapes, shape.cells(), &random);
    ASSERT_TRUE(EncodePage(shape, kSeed, PageTag{1, 1, 1}, dense, page.data()));
    for (int flips = 0; flips < 4; ++flips) page[12 + random() % 80] = static_cast<char>(random());
    std::vector<double> got(shape.cells());
    DecodePage(shape, page, absl::MakeSpan(got))
        .IgnoreError();  // under the sanitizers: no bad access
  }
}

}  // namespace
}  // namespace shoal
