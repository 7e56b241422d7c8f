#include "bench/fleet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

namespace shoal {
namespace {

TEST(FleetTest, TheDoubleOfAValueIsWhatItsTextParsesTo) {
  for (int64_t series = 0; series < 40; ++series) {
    FleetSeries values(1, series);
    for (int i = 0; i < 500; ++i) {
      const DecimalValue value = values.Next();
      std::string text;
      value.AppendTo(&text);
      EXPECT_EQ(std::strtod(text.c_str(), nullptr), value.AsDouble()) << text;
    }
  }
}

TEST(FleetTest, NegativeValuesAndLeadingZerosOfTheFractionAreWritten) {
  std::string text;
  DecimalValue{-5, 2}.AppendTo(&text);
  EXPECT_EQ(text, "-0.05");
  text.clear();
  DecimalValue{1'000'000'000'007, 12}.AppendTo(&text);
  EXPECT_EQ(text, "1.000000000007");
}

// Bits per point of the shapes as they are described: the figure that stored sizes are compared
// with.
TEST(FleetTest, TheMixHasTheSharesAndRangesOfItsDescription) {
  int constants = 0;
  int counters = 0;
  int gauges = 0;
  int randoms = 0;
  for (int64_t series = 0; series < 100; ++series) {
    FleetSeries values(7, series);
    DecimalValue last = values.Next();
    bool is_constant = true;
    for (int i = 0; i < 200; ++i) {
      const DecimalValue next = values.Next();
      is_constant &= next.scaled == last.scaled;
      if (next.decimals == 0) {
        EXPECT_GE(next.scaled, last.scaled);
        EXPECT_LT(next.scaled - last.scaled, 1000);
      } else if (next.decimals == 2) {
        EXPECT_LE(std::abs(next.scaled - last.scaled), 1000);
      } else {
        EXPECT_GE(next.scaled, 0);
        EXPECT_LT(next.AsDouble(), 1000);
      }
      last = next;
    }
    (is_constant          ? constants
     : last.decimals == 0 ? counters
     : last.decimals == 2 ? gauges
                          : randoms)++;
  }
  EXPECT_EQ(constants, 20);
  EXPECT_EQ(counters, 30);
  EXPECT_EQ(gauges, 40);
  EXPECT_EQ(randoms, 10);
  const double bytes = (0.3 * std::log2(1000) + 0.4 * std::log2(2001) + 0.1 * std::log2(1e15)) / 8;
  EXPECT_NEAR(bytes, 1.54, 0.01);
}

}  // namespace
}  // namespace shoal
