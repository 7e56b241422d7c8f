#include "storage/page/size_class.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/metric/series.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

// The worst that values can be: random bits.
std::vector<double> Incompressible(size_t count, std::mt19937_64* random) {
  std::vector<double> values(count);
  for (double& value : values) {
    do {
      const uint64_t bits = (*random)();
      static_assert(sizeof(bits) == sizeof(value));
      std::memcpy(&value, &bits, sizeof(value));
    } while (std::isnan(value));
  }
  return values;
}

TEST(SizeClass, ClassesAscendAndSoDoTheirPages) {
  for (const uint32_t steps : {1u, 16u, 512u, 4096u, kPageStepsMax}) {
    for (uint8_t columns = 1; columns <= 4; ++columns) {
      for (size_t i = 1; i < kSizeClassCount; ++i) {
        ASSERT_LT(kSizeClasses[i - 1], kSizeClasses[i]);
        ASSERT_LE(PageBytesFor(kSizeClasses[i - 1], steps, columns),
                  PageBytesFor(kSizeClasses[i], steps, columns));
      }
      ASSERT_LE(PageBytesFor(kFullSizeClass, steps, columns), kPageBytesMax);
    }
  }
}

TEST(SizeClass, IsTheSmallestThatHoldsTheBytes) {
  for (size_t bytes = 1; bytes <= PageBytesFor(kFullSizeClass, 512, 1); ++bytes) {
    const uint8_t size_class = SizeClassFor(bytes, 512, 1);
    ASSERT_GE(PageBytesFor(size_class, 512, 1), bytes);
    for (const uint8_t smaller : kSizeClasses) {
      if (smaller >= size_class) break;
      ASSERT_LT(PageBytesFor(smaller, 512, 1), bytes);
    }
  }
  EXPECT_EQ(SizeClassFor(1 << 20, 512, 1), kFullSizeClass);
}

// Whatever the gaps: what they cost is never more than the values they are in the place of.
TEST(SizeClass, FullClassHoldsAnyPage) {
  std::mt19937_64 random(1);
  for (const uint32_t steps : {1u, 2u, 3u, 7u, 16u, 100u, 512u, 4096u, 20'000u}) {
    for (const uint8_t columns : {uint8_t{1}, uint8_t{2}, uint8_t{5}}) {
      const PageShape shape{steps, columns, PageBytesFor(kFullSizeClass, steps, columns)};
      std::string page(shape.page_bytes, '\0');
      std::vector<uint32_t> gaps = {0, 1, 2, 3, 5, 8, 9, 20, 64, 100, steps / 2, steps - 1};
      for (const uint32_t gap_count : gaps) {
        std::vector<double> dense = Incompressible(shape.cells(), &random);
        for (uint32_t i = 0; i < gap_count; ++i) dense[random() % steps] = kAbsent;
        dense[random() % steps] = 1.5;
        ASSERT_TRUE(EncodePage(shape, 1, PageTag{1, 1, 1}, dense, page.data()))
            << steps << " steps, " << int{columns} << " columns, " << gap_count << " gaps";
        std::vector<double> got(shape.cells());
        ASSERT_TRUE(DecodePage(shape, page, absl::MakeSpan(got)).ok());
        for (uint32_t i = 0; i < steps; ++i) {
          if (std::isnan(dense[i])) {
            ASSERT_TRUE(std::isnan(got[i]));
          } else {
            ASSERT_EQ(dense[i], got[i]);
          }
        }
      }
    }
  }
}

TEST(SizeClass, ConstantsTakeTheFirstClassWithOrWithoutAGap) {
  const PageShape shape{512, 1, PageBytesFor(0, 512, 1)};
  EXPECT_EQ(shape.page_bytes, 32u);
  std::vector<double> dense(512, 17.25);
  EXPECT_EQ(PickSizeClass(shape, dense), 0);
  dense[300] = kAbsent;
  EXPECT_EQ(PickSizeClass(shape, dense), 0);
  std::string page(shape.page_bytes, '\0');
  EXPECT_TRUE(EncodePage(shape, 1, PageTag{1, 1, 1}, dense, page.data()));
}

// The fleet by which disk use is judged, and its neighbours: the first minutes of a series say what
// its pages will take.
TEST(SizeClass, AFewPointsTellTheClass) {
  constexpr uint32_t kSteps = 512;
  const PageShape shape{kSteps, 1, 0};
  std::mt19937_64 random(3);
  const auto below = [&random](uint64_t n) { return static_cast<double>(random() % n); };
  constexpr int kPages = 400;
  for (const size_t seen : {6, 60}) {
    int right = 0;
    int too_small = 0;
    for (int trial = 0; trial < kPages; ++trial) {
      double level = 100'000 + below(1'000'000);
      std::vector<double> dense(kSteps);
      for (double& value : dense) {
        switch (trial % 4) {
          case 0:
            value = level += below(1000);
            break;
          case 1:
            value = (level += below(2001) - 1000) / 100;
            break;
          case 2:
            value = below(1'000'000'000'000'000) / 1e12;
            break;
          default:
            value = 17;
            break;
        }
      }
      const uint8_t want = PickSizeClass(shape, dense);
      std::vector<double> begun(kSteps, kAbsent);
      const size_t at = random() % (kSteps - seen);
      std::copy_n(dense.begin() + static_cast<ptrdiff_t>(at), seen,
                  begun.begin() + static_cast<ptrdiff_t>(at));
      const uint8_t guess = PickSizeClass(shape, begun);
      right += guess == want ? 1 : 0;
      too_small += guess < want ? 1 : 0;
    }
    EXPECT_GE(right, kPages * (seen == 6 ? 55 : 97) / 100) << seen;
    EXPECT_LE(too_small, kPages * (seen == 6 ? 8 : 1) / 100) << seen;
  }
}

TEST(SizeClass, BodyAndSealAreThePage) {
  std::mt19937_64 random(2);
  const std::vector<double> dense = Incompressible(64, &random);
  const PageShape full{64, 1, PageBytesFor(kFullSizeClass, 64, 1)};
  std::string whole(full.page_bytes, '\x55');
  ASSERT_TRUE(EncodePage(full, 9, PageTag{1, 2, 3}, dense, whole.data()));
  std::string halves(full.page_bytes, '\x77');
  PageSize size;
  ASSERT_TRUE(EncodePageBody(full, PageTag{1, 2, 3}, dense, absl::MakeSpan(halves), &size));
  SealPage(9, size.bytes, absl::MakeSpan(halves));
  EXPECT_EQ(whole, halves);
  EXPECT_EQ(MeasurePage(full, dense).bytes, size.bytes);
}

}  // namespace
}  // namespace shoal
