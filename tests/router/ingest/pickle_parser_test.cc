#include "router/ingest/pickle_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace shoal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint32_t kNow = 1'700'000'123;

struct Parsed {
  PickleError error;
  std::vector<std::string> points;  // "name value timestamp"
  std::vector<std::string> bad;     // "reason name"
};

Parsed ParseAll(absl::string_view pickle, PickleLimits limits = {}, LineSyntax syntax = {}) {
  Parsed result;
  PickleParser parser(limits);
  result.error = parser.Parse(
      pickle, kNow, syntax,
      [&](const ParsedLine& point) {
        result.points.push_back(
            absl::StrFormat("%s %.17g %d", point.name, point.value, point.timestamp_sec));
      },
      [&](LineError error, absl::string_view name) {
        result.bad.push_back(absl::StrCat(LineErrorName(error), " ", name));
      });
  return result;
}

// Literals with NULs.
template <size_t N>
std::string Bytes(const char (&text)[N]) {
  return std::string(text, N - 1);
}
std::string Name(const std::string& name) {
  return absl::StrCat("\x8c", std::string(1, static_cast<char>(name.size())), name);
}
const std::string kPair = Bytes("J\x00\xf1\x53\x65G\x3f\xf8\0\0\0\0\0\0\x86");  // (1700000000, 1.5)

void ExpectOne(absl::string_view pickle, const std::string& point) {
  SCOPED_TRACE(absl::CHexEscape(pickle.substr(0, 200)));
  const Parsed parsed = ParseAll(pickle);
  EXPECT_STREQ(PickleErrorName(parsed.error), "none");
  EXPECT_THAT(parsed.points, ElementsAre(point));
  EXPECT_THAT(parsed.bad, IsEmpty());
}

void ExpectRefused(absl::string_view pickle, PickleError error, PickleLimits limits = {}) {
  SCOPED_TRACE(absl::CHexEscape(pickle.substr(0, 200)));
  const Parsed parsed = ParseAll(pickle, limits);
  EXPECT_STREQ(PickleErrorName(parsed.error), PickleErrorName(error));
  EXPECT_THAT(parsed.points, IsEmpty());
  EXPECT_THAT(parsed.bad, IsEmpty());
}

TEST(PickleParserTest, ReadsWhatCarbonsRelaySends) {
  ExpectOne(absl::HexStringToBytes("80025d71005805000000612e622e6371014a00f15365473ff8000000000000"
                                   "867102867103612e"),
            "a.b.c 1.5 1700000000");
}

// [('a.b', (1700000000, 1.5))] by Python 3's pickle.dumps.
TEST(PickleParserTest, ReadsEveryProtocol) {
  ExpectOne("(lp0\n(Va.b\np1\n(I1700000000\nF1.5\ntp2\ntp3\na.", "a.b 1.5 1700000000");
  ExpectOne(Bytes("]q\0(X\3\0\0\0a.bq\1(J\0\xf1\x53\x65G\x3f\xf8\0\0\0\0\0\0tq\2tq\3a."),
            "a.b 1.5 1700000000");
  ExpectOne(Bytes("\x80\3]q\0X\3\0\0\0a.bq\1J\0\xf1\x53\x65G\x3f\xf8\0\0\0\0\0\0\x86q\2\x86q\3a."),
            "a.b 1.5 1700000000");
  for (const char version : {'\4', '\5'}) {
    ExpectOne(absl::StrCat("\x80", std::string(1, version),
                           Bytes("\x95\x1a\0\0\0\0\0\0\0]\x94\x8c\3a.b\x94"
                                 "J\0\xf1\x53\x65G\x3f\xf8\0\0\0\0\0\0\x86\x94\x86\x94"
                                 "a.")),
              "a.b 1.5 1700000000");
  }
}

// What Python 2 writes for str, unicode and long.
TEST(PickleParserTest, ReadsPythonTwo) {
  ExpectOne("(lp1\n(S'a.b'\np2\n(L1700000000L\nF1.5\ntp3\ntp4\na.", "a.b 1.5 1700000000");
  ExpectOne("(lp1\n(S\"a.b\"\n(I1700000000\nI01\ntta.", "a.b 1 1700000000");
  ExpectOne(Bytes("]q\1(U\3a.bq\2J\0\xf1\x53\x65G\x3f\xf8\0\0\0\0\0\0\x86q\3tq\4a."),
            "a.b 1.5 1700000000");
  ExpectOne(Bytes("\x80\2]T\3\0\0\0a.b\x8a\4\0\xf1\x53\x65K\5\x86\x86"
                  "a."),
            "a.b 5 1700000000");
}

TEST(PickleParserTest, ResolvesTheEscapesOfProtocolZero) {
  ExpectOne("(l(S'h\\xc3\\xb6\\t\\'\\\\x\\101\\q'\n(I1\nI2\ntta.", "h\xc3\xb6\t'\\xA\\q 2 1");
  ExpectOne("(l(Vh\xf6\\u20ac\\U0001f600\\\\u0041\n(I1\nI2\ntta.",
            "h\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80\\\\u0041 2 1");
  ExpectRefused("(l(S'a\\x1'\n(I1\nI2\ntta.", PickleError::kBadArgument);
  ExpectRefused("(l(S'a\\'\n(I1\nI2\ntta.", PickleError::kBadArgument);
  ExpectRefused("(l(Va\\u12\n(I1\nI2\ntta.", PickleError::kBadArgument);
  ExpectRefused("(l(Va\\U00110000\n(I1\nI2\ntta.", PickleError::kBadArgument);
}

TEST(PickleParserTest, NumbersComeInEveryForm) {
  const auto value = [](const std::string& number, const std::string& expected) {
    ExpectOne(absl::StrCat("]", Name("n"), "K\1", number, "\x86\x86", "a."),
              absl::StrCat("n ", expected, " 1"));
  };
  value(Bytes("K\xff"), "255");
  value(Bytes("M\xff\xff"), "65535");
  value(Bytes("J\xff\xff\xff\xff"), "-1");
  value(Bytes("I-7\n"), "-7");
  value(Bytes("L-70000000000L\n"), "-70000000000");
  value(Bytes("F-1e-3\n"), "-0.001");
  value("\x88", "1");
  value("\x89", "0");
  value(Bytes("\x8a\0"), "0");
  value(Bytes("\x8a\1\x80"), "-128");
  value(Bytes("\x8a\2\x80\0"), "128");
  value(Bytes("\x8b\2\0\0\0\0\x80"), "-32768");
  value(Name("12.5"), "12.5");
  value(Name(" 12.5\n"), "12.5");
  // 2^64 + 1, 2^64 - 1, -2^64, 2^80, and a tie that a far bit breaks: 2^120 + 2^67 + 1.
  value(Bytes("\x8a\x09\1\0\0\0\0\0\0\0\1"), "1.8446744073709552e+19");
  value(Bytes("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0"), "1.8446744073709552e+19");
  value(Bytes("\x8a\x09\0\0\0\0\0\0\0\0\xff"), "-1.8446744073709552e+19");
  value(Bytes("\x8a\x0b\0\0\0\0\0\0\0\0\0\0\1"), "1.2089258196146292e+24");
  value(Bytes("\x8a\x10\1\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\1"), "1.3292279957849162e+36");
  value(Bytes("\x8a\x10\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\1"), "1.3292279957849159e+36");
}

TEST(PickleParserTest, PairsAndTheWholeMayBeListsOrTuples) {
  const std::string n = Name("n");
  const std::string point = "n 2 1";
  ExpectOne("]](" + n + Bytes("](K\1K\2eea") + ".", point);   // [['n', [1, 2]]]
  ExpectOne("](" + n + Bytes("](K\1K\2et") + "a.", point);    // [('n', [1, 2])]
  ExpectOne("]](" + n + Bytes("K\1K\2\x86") + "ea.", point);  // [['n', (1, 2)]]
}

TEST(PickleParserTest, ListsMayBeFilledOneByOne) {
  ExpectOne("(l(lS'n'\na(lI1\naI2\naaa.", "n 2 1");
  const Parsed three = ParseAll("(l(lS'n'\na(lI1\naI2\naI3\naaa.");
  EXPECT_THAT(three.points, IsEmpty());
  EXPECT_THAT(three.bad, ElementsAre("bad_field_count "));
  EXPECT_THAT(ParseAll("(l(lS'n'\naa.").bad, ElementsAre("bad_field_count "));
  EXPECT_THAT(ParseAll("(l(lS'n'\na(lI1\naaa.").bad, ElementsAre("bad_field_count "));
}

TEST(PickleParserTest, TheWholeMayBeATuple) {
  const std::string element = Name("n") + Bytes("K\1K\2\x86\x86");
  for (const std::string& pickle :
       {element + "\x85.", "(" + element + "t.", "(" + element + "l."}) {
    ExpectOne(pickle, "n 2 1");
  }
  for (const std::string& pickle : {element + element + "\x86.", "(" + element + element + "t.",
                                    "(" + element + element + "l."}) {
    EXPECT_THAT(ParseAll(pickle).points, ElementsAre("n 2 1", "n 2 1"));
  }
  // The first element is a list that stands where the whole could.
  const std::string list = "](" + Name("n") + Bytes("](K\1K\2ee");
  ExpectOne(list + "\x85.", "n 2 1");
  EXPECT_THAT(ParseAll(list + list + "\x86.").points, ElementsAre("n 2 1", "n 2 1"));
  EXPECT_THAT(ParseAll("(" + list + list + "t.").points, ElementsAre("n 2 1", "n 2 1"));
}

TEST(PickleParserTest, EmptyListsArePickles) {
  for (const char* pickle : {"].", ").", "(l.", "(t."}) {
    const Parsed parsed = ParseAll(pickle);
    EXPECT_STREQ(PickleErrorName(parsed.error), "none") << pickle;
    EXPECT_THAT(parsed.points, IsEmpty());
  }
}

TEST(PickleParserTest, BadElementsAreSkippedAndNamed) {
  const auto element = [](const std::string& pair) { return Name("n") + pair + "\x86"; };
  const std::string pickle =
      "](" + element(kPair) + "N" + Bytes("K\1") + Name("text") + "}" + ")" + "]" + element("N") +
      element(Bytes("K\1K\1K\1\x87")) + element(Bytes("NK\1\x86")) + element(Bytes("K\1N\x86")) +
      element(Name("x") + Bytes("K\1\x86")) + element(Bytes("K\1") + Name("") + "\x86") +
      element(Bytes("K\1Fnan\n\x86")) + element(Bytes("K\1Finf\n\x86")) +
      element(Bytes("K\1") + Name("1e999") + "\x86") + element(Bytes("J\xfe\xff\xff\xffK\1\x86")) +
      Bytes("K\1") + kPair + "\x86" + kPair + element(element(kPair)) + element(kPair) + "e.";
  const Parsed parsed = ParseAll(pickle);
  EXPECT_STREQ(PickleErrorName(parsed.error), "none");
  EXPECT_THAT(parsed.points, ElementsAre("n 1.5 1700000000", "n 1.5 1700000000"));
  EXPECT_THAT(
      parsed.bad,
      ElementsAre("bad_field_count ", "bad_field_count ", "bad_field_count ", "bad_field_count ",
                  "bad_field_count ", "bad_field_count ", "bad_field_count ", "bad_field_count n",
                  "bad_timestamp n", "bad_value n", "bad_timestamp n", "bad_value n", "nan_value n",
                  "infinite_value n", "infinite_value n", "bad_timestamp n", "bad_field_count ",
                  "bad_field_count ", "bad_field_count "));
}

TEST(PickleParserTest, FollowsTheMemo) {
  // The same name and the same pair twice, as picklers write shared objects.
  const std::string n = Name("n");
  const Parsed puts = ParseAll("](" + n + Bytes("q\1K\1K\2\x86q\2\x86h\1h\2\x86") + "e.");
  EXPECT_THAT(puts.points, ElementsAre("n 2 1", "n 2 1"));
  const Parsed memoized =
      ParseAll("]\x94(" + n + Bytes("\x94K\1K\2\x86\x94\x86\x94h\1h\2\x86h\3") + "e.");
  EXPECT_THAT(memoized.points, ElementsAre("n 2 1", "n 2 1", "n 2 1"));
  const Parsed texts = ParseAll("](" + n + Bytes("p7\nK\1K\2\x86\x86g7\nj\7\0\0\0K\3\x86") + "e.");
  EXPECT_THAT(texts.points, ElementsAre("n 2 1"));
  EXPECT_EQ(texts.bad.size(), 2u);
  // The whole list is got again to append to it.
  ExpectOne("]q\1" + std::string("0h\1") + n + Bytes("K\1K\2\x86\x86") + "a.", "n 2 1");
  // A later put of the same slot counts.
  ExpectOne("]" + Name("x") + "q\1" + "0" + n + "q\1" + "0h\1" + Bytes("K\1K\2\x86\x86") + "a.",
            "n 2 1");
}

TEST(PickleParserTest, MemoTricksInventNoPoints) {
  const std::string n = Name("n");
  // A list [1, 2] that is put empty and got again: its contents are not known there.
  const Parsed shared =
      ParseAll("](" + n + Bytes("]q\1(K\1K\2e\x86") + n + Bytes("h\1\x86") + "e.");
  EXPECT_THAT(shared.points, ElementsAre("n 2 1"));
  EXPECT_EQ(shared.bad.size(), 1u);
  // Adding to it through the memo is refused: it would be [1, 2, 3, 4].
  ExpectRefused("](" + n + Bytes("]q\1(K\1K\2e\x86") + n + Bytes("h\1(K\3K\4e\x86") + "e.",
                PickleError::kBadStack);
  // And in place it is no pair any more.
  const Parsed grown = ParseAll("](" + n + Bytes("](K\1K\2e(K\3K\4e\x86") + "e.");
  EXPECT_THAT(grown.points, IsEmpty());
  EXPECT_EQ(grown.bad.size(), 1u);
}

TEST(PickleParserTest, EveryForeignOpcodeRefusesTheMessage) {
  const std::string known =
      "(.01FGIJKLMNSTUVXBCadeghjlpqrstu)]}\x80\x85\x86\x87\x88\x89\x8a\x8b"
      "\x8c\x8d\x94\x95";
  const std::string good = Name("n") + Bytes("K\1K\2\x86\x86");
  int foreign = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (known.find(static_cast<char>(byte)) != std::string::npos) continue;
    ++foreign;
    for (const std::string& rest : {std::string(), std::string("a\nb\n."), std::string(64, '\0')}) {
      ExpectRefused("](" + good + std::string(1, static_cast<char>(byte)) + rest,
                    PickleError::kForeignOpcode);
    }
  }
  EXPECT_EQ(foreign, 256 - 47);
  // os.system('id'), the classic.
  ExpectRefused("cos\nsystem\n(S'id'\ntR.", PickleError::kForeignOpcode);
}

TEST(PickleParserTest, EveryTruncationIsRefused) {
  const std::vector<std::string> pickles = {
      "(lp0\n(Va.b\np1\n(I1700000000\nF1.5\ntp2\ntp3\na.",
      Bytes("\x80\2]q\0(X\3\0\0\0a.bq\1J\0\xf1\x53\x65G\x3f\xf8\0\0\0\0\0\0\x86q\2\x86q\3"
            "h\1\x8b\4\0\0\0abcdK\1\x86\x86r\x99\1\0\0B\3\0\0\0abce."),
      Bytes("\x80\4\x95\x06\0\0\0\0\0\0\0]\x8d\1\0\0\0\0\0\0\0ah\1s."),
  };
  for (const std::string& pickle : pickles) {
    for (size_t size = 0; size < pickle.size(); ++size) {
      const Parsed parsed = ParseAll(absl::string_view(pickle).substr(0, size));
      EXPECT_STREQ(PickleErrorName(parsed.error), "truncated") << size;
      EXPECT_THAT(parsed.points, IsEmpty());
    }
    ExpectRefused(pickle + "x", PickleError::kTrailingBytes);
  }
}

TEST(PickleParserTest, LengthsAreCheckedAgainstWhatIsThere) {
  ExpectRefused(Bytes("]X\xff\xff\xff\xff") + "abc.", PickleError::kTruncated);
  ExpectRefused(Bytes("]T\xff\xff\xff\xff") + "abc.", PickleError::kTruncated);
  ExpectRefused(Bytes("]\x8d\xff\xff\xff\xff\xff\xff\xff\xff") + "abc.", PickleError::kTruncated);
  ExpectRefused(Bytes("]\x8b\xff\xff\xff\x7f") + "abc.", PickleError::kTruncated);
  ExpectRefused(Bytes("\x95\xff\xff\xff\xff\xff\xff\xff\xff]."), PickleError::kTruncated);
}

TEST(PickleParserTest, ArgumentsAreChecked) {
  for (const char* pickle :
       {"]Ix\na.", "]I1.5\na.", "]I\na.", "]I-\na.", "]Fx\na.", "]F0x10\na.", "]Fnan(1)\na.",
        "]L1.5L\na.", "]LL\na.", "]S'a\na.", "]Sa\na.", "]S'\na.", "]S'a\"\na.", "]px\n.",
        "]p-1\n.", "]p4294967295\n.", "]gx\n.", "\x80\6]."}) {
    ExpectRefused(pickle, PickleError::kBadArgument);
  }
  ExpectRefused(Bytes("]r\xff\xff\xff\xff") + ".", PickleError::kBadArgument);
}

TEST(PickleParserTest, TheStackIsGuarded) {
  for (const std::string& pickle : std::vector<std::string>{"a.",
                                                            "e.",
                                                            "0.",
                                                            "1.",
                                                            "t.",
                                                            "l.",
                                                            "d.",
                                                            "s.",
                                                            "u.",
                                                            "\x85.",
                                                            "]\x86.",
                                                            "]]\x87.",
                                                            "]a.",
                                                            "](a.",
                                                            "]K\1(a.",
                                                            "](\x85.",
                                                            "](0"
                                                            "0"
                                                            "0.",
                                                            "K\1K\2"
                                                            "a.",
                                                            "]K\1K\2"
                                                            "a.",
                                                            "}K\1"
                                                            "a.",
                                                            "]K\1s.",
                                                            "](K\1u.",
                                                            "}(K\1u.",
                                                            "]K\1K\2s.",
                                                            "}K\1K\2(s.",
                                                            "(e.",
                                                            "(u.",
                                                            "q\1.",
                                                            "](q\1.",
                                                            "\x94.",
                                                            "]K\1(K\2e.",
                                                            "]((K\1ee."}) {
    ExpectRefused(pickle, PickleError::kBadStack);
  }
}

TEST(PickleParserTest, ExactlyOneListIsLeft) {
  for (const std::string& pickle :
       std::vector<std::string>{".", "K\1.", "N.", "}.", "]].", "](.", "(.", Name("n") + ".",
                                kPair + ".", Name("n") + kPair + "\x86.", "](}K\1."}) {
    ExpectRefused(pickle, PickleError::kNotAList);
  }
}

TEST(PickleParserTest, TheMemoIsGuarded) {
  for (const std::string& pickle : std::vector<std::string>{"]h\1"
                                                            "a.",
                                                            "]q\1h\2"
                                                            "a.",
                                                            "]g1\na.",
                                                            "]h\1q\1"
                                                            "a.",
                                                            "]q\1\x94.", "]\x94q\1."}) {
    ExpectRefused(pickle, PickleError::kBadMemo);
  }
}

TEST(PickleParserTest, DepthIsBounded) {
  const auto nested = [](int depth, const std::string& step) {
    std::string pickle = "]K\1";
    for (int i = 0; i < depth; ++i) pickle += step;
    return pickle + "a.";
  };
  EXPECT_EQ(ParseAll(nested(15, "\x85")).error, PickleError::kNone);
  ExpectRefused(nested(16, "\x85"), PickleError::kTooDeep);
  ExpectRefused(nested(10'000, "\x85"), PickleError::kTooDeep);
  ExpectRefused(nested(10'000, Bytes("K\1\x86")), PickleError::kTooDeep);
  ExpectRefused(nested(260, Bytes("K\1\x86")), PickleError::kTooDeep);
  // Lists in lists, dicts in dicts.
  ExpectRefused("]" + std::string(10'000, ']') + std::string(10'000, 'a') + ".",
                PickleError::kTooDeep);
  std::string dicts = "]";
  for (int i = 0; i < 10'000; ++i) dicts += "}K\1";
  ExpectRefused(dicts + "N" + std::string(9'999, 's') + "0a.", PickleError::kTooDeep);
}

TEST(PickleParserTest, ItemsAreBoundedWhereverTheyAreKept) {
  const PickleLimits limits = {.items_max = 1000};
  const auto repeat = [](int times, const std::string& step) {
    std::string text;
    for (int i = 0; i < times; ++i) text += step;
    return text;
  };
  ExpectRefused("](" + repeat(1000, "K\1") + "e.", PickleError::kTooManyItems, limits);  // stack
  ExpectRefused("](" + repeat(10'000, "(") + "e.", PickleError::kTooManyItems, limits);  // marks
  ExpectRefused("]" + repeat(10'000, "Na") + ".", PickleError::kTooManyItems, limits);   // list
  ExpectRefused("]" + repeat(10'000, Bytes("K\1K\1\x86") + "0") + ".", PickleError::kTooManyItems,
                limits);  // numbers of pairs
  std::string gets = "]";
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&gets, "p", i, "\ng", i, "\n0");
  ExpectRefused(gets + ".", PickleError::kTooManyItems, limits);  // memo
  EXPECT_EQ(ParseAll("]q\1" +
                         repeat(10'000,
                                "h\1"
                                "0") +
                         ".",
                     limits)
                .error,
            PickleError::kNone);
  EXPECT_EQ(ParseAll("]" + repeat(10'000, "q\1") + ".", limits).error, PickleError::kNone);
  // A list of 400 points fits, one of 600 does not.
  const std::string point = Name("n") + kPair + "\x86";
  EXPECT_EQ(ParseAll("]" + repeat(400, point + "a") + ".", limits).points.size(), 400u);
  ExpectRefused("]" + repeat(600, point + "a") + ".", PickleError::kTooManyItems, limits);
}

TEST(PickleParserTest, UnescapedTextsAreBounded) {
  const std::string text = "V" + std::string(1000, '\xff') + "\n0";
  std::string pickle = "]";
  for (int i = 0; i < 5; ++i) pickle += text;
  EXPECT_EQ(ParseAll(pickle + ".", {.unescaped_bytes_max = 10'000}).error, PickleError::kNone);
  ExpectRefused(pickle + ".", PickleError::kTooManyItems, {.unescaped_bytes_max = 9'999});
}

TEST(PickleParserTest, OneParserReadsMessageAfterMessage) {
  PickleParser parser(PickleLimits{});
  std::vector<std::string> names;
  const auto parse = [&](const std::string& pickle) {
    names.clear();
    return parser.Parse(
        pickle, kNow, {}, [&](const ParsedLine& point) { names.emplace_back(point.name); },
        [](LineError, absl::string_view) {});
  };
  std::string large = "](";
  for (int i = 0; i < 20'000; ++i)
    absl::StrAppend(&large, Name(absl::StrCat("n", i)), kPair, "\x86");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(parse(large + "e."), PickleError::kNone);
    EXPECT_EQ(names.size(), 20'000u);
    EXPECT_EQ(parse("](((N\x94"), PickleError::kTruncated);
    EXPECT_EQ(parse("]h\1"
                    "a."),
              PickleError::kBadMemo);
    EXPECT_EQ(parse("]q\1" + Name("a") + kPair +
                    "\x86"
                    "a."),
              PickleError::kNone);
    EXPECT_THAT(names, ElementsAre("a"));
  }
}

TEST(PickleParserTest, ErrorNamesAreDistinct) {
  std::set<std::string> names;
  for (size_t i = 0; i < kPickleErrorCount; ++i) {
    names.insert(PickleErrorName(static_cast<PickleError>(i)));
  }
  EXPECT_EQ(names.size(), kPickleErrorCount);
}

}  // namespace
}  // namespace shoal
