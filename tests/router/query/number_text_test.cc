#include "router/query/number_text.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace shoal {
namespace {

TEST(NumberTextTest, WritesFloatsAsPythonDoes) {
  const struct {
    double value;
    const char* text;
  } cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {-1.5, "-1.5"},
      {0.1, "0.1"},
      {0.001, "0.001"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {1.25e-7, "1.25e-07"},
      {100.0, "100.0"},
      {123456789.125, "123456789.125"},
      {1e15, "1000000000000000.0"},
      {9999999999999998.0, "9999999999999998.0"},
      {1e16, "1e+16"},
      {1.5e300, "1.5e+300"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.3333333333333333"},
      {5e-324, "5e-324"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
      {-std::numeric_limits<double>::max(), "-1.7976931348623157e+308"},
      {std::numeric_limits<double>::infinity(), "inf"},
      {-std::numeric_limits<double>::infinity(), "-inf"},
      {std::numeric_limits<double>::quiet_NaN(), "nan"},
  };
  for (const auto& c : cases) EXPECT_EQ(FloatText(c.value), c.text);
}

TEST(NumberTextTest, EveryTextReadsBackAsTheSameDouble) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    double value;
    const uint64_t bits = random();
    if (i % 2 == 0) {
      std::memcpy(&value, &bits, sizeof(value));
    } else {
      value = static_cast<double>(static_cast<int64_t>(bits) >> (bits & 63)) / 1000.0;
    }
    if (!std::isfinite(value)) continue;
    const std::string text = FloatText(value);
    ASSERT_LE(text.size(), kFloatTextBytesMax);
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    // No shorter digits exist than to_chars finds; ours has no more of them.
    char shortest[64];
    const auto end =
        std::to_chars(shortest, shortest + sizeof(shortest), value, std::chars_format::scientific)
            .ptr;
    const auto digits = [](std::string_view t) {
      std::string kept;
      for (const char c : t.substr(0, t.find('e'))) {
        if (std::isdigit(static_cast<unsigned char>(c))) kept.push_back(c);
      }
      kept.erase(0, kept.find_first_not_of('0'));
      kept.erase(kept.find_last_not_of('0') + 1);
      return kept;
    };
    EXPECT_EQ(digits(text), digits(std::string_view(shortest, static_cast<size_t>(end - shortest))))
        << text;
  }
}

TEST(NumberTextTest, ShortTextHasSixDigits) {
  EXPECT_EQ(ShortFloatText(2), "2");
  EXPECT_EQ(ShortFloatText(0.1), "0.1");
  EXPECT_EQ(ShortFloatText(1e6), "1e+06");
  EXPECT_EQ(ShortFloatText(123456.7), "123457");
}

TEST(NumberTextTest, RoundsToSixDecimalsCorrectly) {
  EXPECT_EQ(RoundToMicro(1.0 / 3), 0.333333);
  EXPECT_EQ(RoundToMicro(2.5), 2.5);
  EXPECT_EQ(RoundToMicro(-1e-9), 0);
  EXPECT_EQ(RoundToMicro(1e300), 1e300);
  EXPECT_TRUE(std::isnan(RoundToMicro(std::nan(""))));
  // Ties: 0.5e-6 multiples that are exact in binary go to even; decimal look-alikes go where their
  // double really lies.
  EXPECT_EQ(RoundToMicro(0.0000005), 0.0);
  EXPECT_EQ(RoundToMicro(0.0000015), 0.000002);
  EXPECT_EQ(RoundToMicro(std::ldexp(1, -7)), 0.007812);      // 0.0078125
  EXPECT_EQ(RoundToMicro(3 * std::ldexp(1, -7)), 0.023438);  // 0.0234375
  std::mt19937_64 random(11);
  for (int i = 0; i < 100'000; ++i) {
    const double value = static_cast<double>(static_cast<int64_t>(random() >> 20)) / 2'000'000.0;
    char text[64];
    std::snprintf(text, sizeof(text), "%.6f", value);
    ASSERT_EQ(RoundToMicro(value), std::strtod(text, nullptr)) << text;
  }
}

}  // namespace
}  // namespace shoal
