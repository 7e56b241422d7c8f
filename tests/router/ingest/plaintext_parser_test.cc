#include "router/ingest/plaintext_parser.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr uint32_t kNow = 1'700'000'123;

struct Good {
  std::string line;
  std::string name;
  double value;
  uint32_t timestamp_sec;
};

void ExpectGood(const Good& expected, const LineSyntax& syntax = {}) {
  SCOPED_TRACE(expected.line);
  ParsedLine parsed;
  ASSERT_EQ(LineErrorName(ParseLine(expected.line, kNow, syntax, &parsed)), std::string("none"));
  EXPECT_EQ(parsed.name, expected.name);
  EXPECT_EQ(parsed.timestamp_sec, expected.timestamp_sec);
  EXPECT_EQ(parsed.value, expected.value);
  EXPECT_EQ(std::signbit(parsed.value), std::signbit(expected.value));
}

void ExpectBad(const std::string& line, LineError error, const LineSyntax& syntax = {}) {
  SCOPED_TRACE(line);
  ParsedLine parsed;
  EXPECT_STREQ(LineErrorName(ParseLine(line, kNow, syntax, &parsed)), LineErrorName(error));
}

TEST(PlaintextParserTest, TakesThreeFieldsBetweenAnyBlanks) {
  for (const char* line : {"a.b 1.5 1700000000", "a.b\t1.5\t1700000000", "a.b \t 1.5   1700000000",
                           "  a.b 1.5 1700000000", "a.b 1.5 1700000000  ", "a.b 1.5 1700000000\r",
                           "\ta.b 1.5 1700000000 \t\r"}) {
    ExpectGood({line, "a.b", 1.5, 1700000000});
  }
}

TEST(PlaintextParserTest, TakesValuesAsPythonFloatDoes) {
  const std::vector<std::pair<std::string, double>> values = {
      {"0", 0},
      {"-0", -0.0},
      {"-0.0", -0.0},
      {"+5", 5},
      {"-5", -5},
      {"5.", 5},
      {".5", 0.5},
      {"-.5", -0.5},
      {"1e3", 1000},
      {"1E3", 1000},
      {"1e+3", 1000},
      {"1e-3", 0.001},
      {"0001", 1},
      {"0.1", 0.1},
      {"1e308", 1e308},
      {"5e-324", 5e-324},
      {"2.2250738585072014e-308", 2.2250738585072014e-308},
      {"9007199254740993", 9007199254740992.0},
      {"123456789.123456789", 123456789.123456789},
      {"1e-999", 0},
      {"-1e-999", -0.0},
      {std::string(308, '1'), std::strtod(std::string(308, '1').c_str(), nullptr)},
      {"0." + std::string(400, '3'), 1.0 / 3},
  };
  for (const auto& [text, value] : values) {
    ExpectGood({"a " + text + " 1700000000", "a", value, 1700000000});
  }
}

TEST(PlaintextParserTest, EveryDecimalBecomesTheNearestDouble) {
  std::minstd_rand random(1);
  for (int digits = 1; digits <= 20; ++digits) {
    for (int point = 0; point <= digits; ++point) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        std::string text;
        for (int i = 0; i < digits; ++i) {
          if (i == point) text.push_back('.');
          text.push_back(static_cast<char>('0' + random() % 10));
        }
        const double value = std::strtod(text.c_str(), nullptr);
        ExpectGood({"a " + text + " 1700000000", "a", value, 1700000000});
        ExpectGood({"a -" + text + " 1700000000", "a", -value, 1700000000});
      }
    }
  }
}

TEST(PlaintextParserTest, OnlyBlanksEndAField) {
  for (size_t length = 1; length <= 24; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (const char c : {'\x01', '\x1f', '!', '\x7f', '\x80', '\xa0', '\xff'}) {
        std::string name(length, 'n');
        name[at] = c;
        for (const char blank : {' ', '\t'}) {
          const std::string line = name + blank + "1.5" + blank + "1700000000";
          ExpectGood({line, name, 1.5, 1700000000});
        }
      }
    }
  }
}

TEST(PlaintextParserTest, RefusesWhatIsNotANumber) {
  for (const char* text : {"abc",   "0x10", "0X1p3",  "1_0",  "1,5",   "1.5.2", "--5",       "++5",
                           "-+5",   "+-5",  "+",      "-",    ".",     "e5",    "1e",        "1e+",
                           "5x",    "1.5f", "nan(1)", "nan1", "-nanx", "infi",  "infinityx", "\x01",
                           "1\x01", "$",    "none",   "None", "true",  "1d5",   "\xd9\xa1"}) {
    ExpectBad(std::string("a ") + text + " 1700000000", LineError::kBadValue);
  }
  ExpectBad(std::string("a 1\0 1700000000", 15), LineError::kBadValue);
}

TEST(PlaintextParserTest, DropsNanInEverySpelling) {
  for (const char* text : {"nan", "NaN", "NAN", "+nan", "-nan"}) {
    ExpectBad(std::string("a ") + text + " 1700000000", LineError::kNanValue);
    ExpectBad(std::string("a ") + text + " 1700000000", LineError::kNanValue,
              {.accept_infinite = true});
  }
}

TEST(PlaintextParserTest, RefusesInfinityUnlessItIsEnabled) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const char* text : {"inf", "Inf", "+inf", "infinity", "INFINITY", "1e999"}) {
    const std::string line = std::string("a ") + text + " 1700000000";
    ExpectBad(line, LineError::kInfiniteValue);
    ExpectGood({line, "a", infinity, 1700000000}, {.accept_infinite = true});
  }
  ExpectBad("a -inf 1700000000", LineError::kInfiniteValue);
  ExpectGood({"a -1e999 1700000000", "a", -infinity, 1700000000}, {.accept_infinite = true});
  ExpectBad("a " + std::string(310, '9') + " 1700000000", LineError::kInfiniteValue);
}

TEST(PlaintextParserTest, TakesIntegerAndDecimalTimestamps) {
  const std::vector<std::pair<std::string, uint32_t>> timestamps = {
      {"1700000000", 1700000000},
      {"1700000000.999", 1700000000},
      {"1700000000.", 1700000000},
      {"1.7e9", 1700000000},
      {"+1700000000", 1700000000},
      {"1", 1},
      {"4294967295", 4294967295u},
      {"4294967295.5", 4294967295u},
      {"0001700000000", 1700000000},
      {"-1", kNow},
      {"0", kNow},
      {"N", kNow},
      {"-1.0", kNow},
      {"0.0", kNow},
      {"0.5", kNow},
  };
  for (const auto& [text, timestamp] : timestamps) {
    ExpectGood({"a 1 " + text, "a", 1, timestamp});
  }
}

TEST(PlaintextParserTest, RefusesTimestampsThatAreNotSecondsOfOurTime) {
  for (const char* text : {"nan", "inf", "-inf", "1e999", "-2", "-1700000000", "4294967296",
                           "99999999999999999999", "1e300", "x", "n", "NN", "NaN", "1700000000x",
                           "170000000O", "0x65", "now", "12:00", "1_0"}) {
    ExpectBad(std::string("a 1 ") + text, LineError::kBadTimestamp);
  }
}

TEST(PlaintextParserTest, RefusesOtherNumbersOfFields) {
  ExpectBad("", LineError::kBadFieldCount);
  ExpectBad("a", LineError::kBadFieldCount);
  ExpectBad("a 1", LineError::kBadFieldCount);
  ExpectBad("a 1 1700000000 4", LineError::kBadFieldCount);
  ExpectBad("a b 1 1700000000", LineError::kBadFieldCount);
}

TEST(PlaintextParserTest, TwoFieldsMeanNowWhenEnabled) {
  const LineSyntax syntax{.accept_two_fields = true};
  ExpectGood({"a 1.5", "a", 1.5, kNow}, syntax);
  ExpectGood({"a 1.5 1700000000", "a", 1.5, 1700000000}, syntax);
  ExpectBad("a", LineError::kBadFieldCount, syntax);
  ExpectBad("a x", LineError::kBadValue, syntax);
}

TEST(PlaintextParserTest, KnowsBlankLines) {
  EXPECT_TRUE(IsBlankLine(""));
  EXPECT_TRUE(IsBlankLine(" \t\r"));
  EXPECT_FALSE(IsBlankLine(" a "));
  EXPECT_FALSE(IsBlankLine(absl::string_view("\0", 1)));
}

TEST(PlaintextParserTest, EveryErrorHasItsOwnName) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kLineErrorCount; ++i) {
    names.push_back(LineErrorName(static_cast<LineError>(i)));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace shoal
