// Columns: every bit comes back, by the decoder and by a second one that is written from
// docs/format/page.md alone, slow and simple; and each nature of series gets the encoding that is
// meant for it.
#include "storage/page/encodings.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "storage/page/decimals.h"
#include "storage/page/integer_blocks.h"
#include "storage/page/wide.h"

namespace shoal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

// As the document says it, a bit at a time; aborts the test on anything unexpected.
class ReferenceReader {
 public:
  explicit ReferenceReader(absl::string_view bytes) : bytes_(bytes) {}

  std::vector<double> Column(size_t count) {
    std::vector<double> out;
    const int encoding = Byte();
    if (encoding == 1) {
      const double value = Double();
      out.assign(count, value);
    } else if (encoding == 2 || encoding == 4) {
      const int parameters = Byte();
      const int order = parameters >> 4 & 3;
      std::vector<std::pair<size_t, double>> odd;
      if ((parameters & 0x40) != 0) {
        odd.resize(Varint());
        size_t at = 0;
        for (auto& [place, value] : odd) place = at += Varint();
        for (auto& [place, value] : odd) value = Double();
      }
      std::vector<uint64_t> first;
      for (int i = 0; i < order; ++i) first.push_back(Signed());
      std::vector<uint64_t> integers = Block(count - static_cast<size_t>(order));
      for (int i = order - 1; i >= 0; --i) {
        uint64_t sum = first[static_cast<size_t>(i)];
        std::vector<uint64_t> sums = {sum};
        for (const uint64_t difference : integers) sums.push_back(sum += difference);
        integers = sums;
      }
      for (const uint64_t integer : integers) {
        out.push_back(encoding == 4 ? std::bit_cast<double>(integer)
                                    : static_cast<double>(static_cast<int64_t>(integer)) /
                                          std::stod("1e" + std::to_string(parameters & 15)));
      }
      for (const auto& [place, value] : odd) out.at(place) = value;
    } else if (encoding == 3) {
      while (out.size() < count) out.push_back(Double());
    } else if (encoding == 5) {
      const int form = Byte();
      const size_t changes = Varint();
      std::vector<bool> changed(count);
      if (form == 0) {
        for (size_t i = 0; i < (count + 7) / 8; ++i) {
          const int byte = Byte();
          for (size_t bit = 0; bit < 8 && 8 * i + bit < count; ++bit)
            changed[8 * i + bit] = (byte >> bit & 1) != 0;
        }
      } else {
        changed[0] = true;
        size_t at = 0;
        for (size_t i = 1; i < changes; ++i) changed.at(at += Varint()) = true;
      }
      const std::vector<double> values = Column(changes);
      size_t next = 0;
      for (size_t i = 0; i < count; ++i) {
        if (changed[i]) ++next;
        out.push_back(values.at(next - 1));
      }
    } else {
      ADD_FAILURE() << "encoding " << encoding;
    }
    EXPECT_EQ(out.size(), count);
    return out;
  }
  size_t read() const { return at_; }

 private:
  int Byte() { return static_cast<uint8_t>(bytes_.at(at_++)); }
  double Double() {
    double value = 0;
    const std::string bytes(bytes_.substr(at_, 8));
    std::memcpy(&value, bytes.data(), 8);
    at_ += 8;
    return value;
  }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const int byte = Byte();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  uint64_t Signed() {
    const uint64_t value = Varint();
    return value % 2 == 0 ? value / 2 : ~(value / 2);
  }
  std::vector<uint64_t> Block(size_t count) {
    const int first = Byte();
    const int layout = first & 3;
    const int shift = first >> 2;
    std::vector<uint64_t> integers;
    while (integers.size() < count) {
      const size_t size = layout == 1 ? std::min<size_t>(64, count - integers.size()) : count;
      const size_t width = static_cast<size_t>(Byte());
      const uint64_t base = Signed();
      const size_t patches = layout == 2 ? Varint() : 0;
      for (size_t i = 0; i < size; ++i) {
        uint64_t offset = 0;
        for (size_t bit = 0; bit < width; ++bit) {
          const size_t place = i * width + bit;
          const int byte = static_cast<uint8_t>(bytes_.at(at_ + place / 8));
          offset |= static_cast<uint64_t>(byte >> (place % 8) & 1) << bit;
        }
        integers.push_back(base + (offset << shift));
      }
      at_ += (size * width + 7) / 8;
      size_t at = 0;
      for (size_t i = 0; i < patches; ++i) {
        at += Varint();
        integers.at(at) = base + Signed();
      }
    }
    return integers;
  }

  const absl::string_view bytes_;
  size_t at_ = 0;
};

std::string Encode(const std::vector<double>& values) {
  std::string bytes(ColumnBytesMax(values.size()), '\0');
  ColumnSize size;
  EXPECT_TRUE(EncodeColumn(values, bytes.data(), bytes.size(), &size));
  bytes.resize(size.bytes);
  return bytes;
}

ColumnEncoding EncodingOf(absl::string_view bytes) { return static_cast<ColumnEncoding>(bytes[0]); }

void ExpectRoundTrip(const std::vector<double>& values, const std::string& what) {
  const std::string bytes = Encode(values) + "tail";
  absl::string_view rest = bytes;
  std::vector<double> got(values.size());
  ASSERT_TRUE(DecodeColumn(&rest, absl::MakeSpan(got))) << what;
  ASSERT_EQ(rest, "tail") << what;
  ReferenceReader reference(bytes);
  const std::vector<double> by_reference = reference.Column(values.size());
  ASSERT_EQ(reference.read(), bytes.size() - 4) << what;
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(Bits(got[i]), Bits(values[i])) << what << ", value " << i;
    ASSERT_EQ(Bits(by_reference[i]), Bits(values[i])) << what << ", value " << i;
  }
}

using Random = std::mt19937_64;
double Below(Random* random, uint64_t n) { return static_cast<double>((*random)() % n); }

// A value of a series from its number and a source of chance; the state is in the closure.
using Source = std::function<double(size_t, Random*)>;
struct Nature {
  const char* name;
  std::function<Source()> make;
};

const double kSpecials[] = {0.0,
                            -0.0,
                            std::numeric_limits<double>::denorm_min(),
                            -std::numeric_limits<double>::denorm_min(),
                            std::numeric_limits<double>::min(),
                            std::numeric_limits<double>::max(),
                            std::numeric_limits<double>::lowest(),
                            kInfinity,
                            -kInfinity,
                            1e308,
                            0.1,
                            0.1 + 0.2,
                            2251799813685247.0,
                            2251799813685248.0,
                            -2251799813685248.0,
                            2251799813685249.0,
                            4503599627370496.5,
                            9007199254740991.0,
                            9007199254740992.0,
                            9007199254740994.0,
                            -9007199254740992.0,
                            1e15,
                            123456789.123456789,
                            2.251799813685247,
                            9.007199254740993};

std::vector<Nature> Natures() {
  const auto walk = [](double start, uint64_t reach, double divisor) {
    return [=]() -> Source {
      return [=, level = start](size_t, Random* r) mutable {
        level += Below(r, 2 * reach + 1) - static_cast<double>(reach);
        return level / divisor;
      };
    };
  };
  const auto plain = [](Source source) { return [source]() { return source; }; };
  return {
      {"constant", plain([](size_t, Random*) { return 42.5; })},
      {"line", plain([](size_t i, Random*) { return 1.7e9 + 10 * static_cast<double>(i); })},
      {"parabola", plain([](size_t i, Random*) { return static_cast<double>(i * i); })},
      {"counter",
       []() -> Source {
         return [total = 0.0](size_t, Random* r) mutable { return total += Below(r, 1000); };
       }},
      {"counter with resets",
       []() -> Source {
         return [total = 1e9](size_t, Random* r) mutable {
           if ((*r)() % 200 == 0) total = 0;
           return total += Below(r, 1000);
         };
       }},
      {"walk of cents", walk(500'000, 1000, 100)},
      {"walk below zero", walk(-70'000, 300, 1000)},
      {"walk of memory pages", walk(1'000'000, 50, 1.0 / 4096)},
      {"noise", plain([](size_t, Random* r) { return Below(r, 10'000) / 100; })},
      {"12 decimals",
       plain([](size_t, Random* r) { return Below(r, 1'000'000'000'000'000) / 1e12; })},
      {"12 decimals of large numbers",
       plain([](size_t, Random* r) { return Below(r, 20'000'000'000'000'000) / 1e12; })},
      {"15 decimals", plain([](size_t, Random* r) { return Below(r, 1000) / 1e15; })},
      {"quotients",
       plain([](size_t, Random* r) { return 100 * Below(r, 777) / (1 + Below(r, 999)); })},
      {"repeated quotients",
       []() -> Source {
         return [level = 0.3](size_t, Random* r) mutable {
           if ((*r)() % 3 == 0) level = Below(r, 1000) / 7;
           return level;
         };
       }},
      {"rare steps",
       []() -> Source {
         return [level = 3.0](size_t, Random* r) mutable {
           if ((*r)() % 50 == 0) level = Below(r, 1000);
           return level;
         };
       }},
      {"single precision", plain([](size_t, Random* r) {
         return static_cast<double>(static_cast<float>(Below(r, 1 << 30)) / 3e6f);
       })},
      {"heavy tail",
       plain([](size_t, Random* r) { return std::floor(std::exp(Below(r, 1000) / 100)) / 1000; })},
      {"spikes", plain([](size_t, Random* r) {
         return (*r)() % 40 == 0 ? Below(r, 1'000'000) : 50 + Below(r, 16);
       })},
      {"spikes both ways", plain([](size_t, Random* r) {
         const double spike = Below(r, 1'000'000) - 500'000;
         return (*r)() % 40 == 0 ? 1024 * spike : 1024 * Below(r, 16);
       })},
      {"minus zero among decimals",
       plain([](size_t, Random* r) { return (*r)() % 20 == 0 ? -0.0 : Below(r, 100) / 10; })},
      {"infinities among decimals", plain([](size_t, Random* r) {
         const uint64_t which = (*r)() % 60;
         return which == 0 ? kInfinity : which == 1 ? -kInfinity : Below(r, 100) / 10;
       })},
      {"long decimals among short", plain([](size_t, Random* r) {
         return (*r)() % 40 == 0 ? Below(r, 1'000'000'000) / 1e11 : Below(r, 100) / 10;
       })},
      {"around the limit of decimals",
       plain([](size_t, Random* r) { return 2251799813685248.0 - 16 + Below(r, 32); })},
      {"around 2^53",
       plain([](size_t, Random* r) { return 9007199254740992.0 - 16 + Below(r, 32); })},
      {"random signs and exponents", plain([](size_t, Random* r) {
         const double value = std::bit_cast<double>((*r)());
         return std::isnan(value) ? 1.5 : value;
       })},
      {"not a number, any of them", plain([](size_t i, Random* r) {
         return i % 9 == 0 ? std::bit_cast<double>(0x7ff8000000000000 | (*r)() % 4096) : 3.5;
       })},
      {"specials",
       plain([](size_t, Random* r) { return kSpecials[(*r)() % std::size(kSpecials)]; })},
      {"denormals", plain([](size_t, Random* r) { return std::bit_cast<double>((*r)() % 5000); })},
  };
}

std::vector<double> Take(const Nature& nature, size_t count, uint64_t seed) {
  Random random(seed);
  const Source source = nature.make();
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = source(i, &random);
  return values;
}

TEST(Encodings, EveryNatureComesBackAtEveryLength) {
  for (const Nature& nature : Natures()) {
    for (const size_t count : {1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 66, 129, 511, 512, 1000, 4099}) {
      for (uint64_t seed = 1; seed <= (count < 600 ? 8u : 2u); ++seed) {
        ExpectRoundTrip(Take(nature, count, seed), std::string(nature.name) + ", " +
                                                       std::to_string(count) + " values, seed " +
                                                       std::to_string(seed));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Encodings, PairsOfSpecialsComeBack) {
  for (const double a : kSpecials) {
    for (const double b : kSpecials) {
      ExpectRoundTrip({a, b}, "pair");
      std::vector<double> values(200, 1.25);
      for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<double>(i % 7);
      values[70] = a;
      values[199] = b;
      ExpectRoundTrip(values, "two among decimals");
      values[0] = a;
      values[1] = b;
      ExpectRoundTrip(values, "first");
      if (HasFatalFailure()) FAIL() << a << " " << b;
    }
  }
}

// Mixtures: pieces of different natures in one column.
TEST(Encodings, NaturesThatChangeComeBack) {
  const std::vector<Nature> natures = Natures();
  Random random(7);
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<double> values;
    const size_t size = 1 + random() % 600;
    while (values.size() < size) {
      const std::vector<double> piece =
          Take(natures[random() % natures.size()], 1 + random() % 200, random());
      values.insert(values.end(), piece.begin(), piece.end());
    }
    ExpectRoundTrip(values, "trial " + std::to_string(trial));
    if (HasFatalFailure()) return;
  }
}

TEST(Encodings, EachNatureGetsItsEncodingAndSize) {
  struct Want {
    const char* name;
    ColumnEncoding encoding;
    double bytes_max;  // per value
  };
  const Want wants[] = {
      {"constant", ColumnEncoding::kConstant, 0.02},
      {"line", ColumnEncoding::kDecimal, 0.03},
      {"parabola", ColumnEncoding::kDecimal, 0.03},
      {"counter", ColumnEncoding::kDecimal, 1.27},
      {"counter with resets", ColumnEncoding::kDecimal, 1.32},
      {"walk of cents", ColumnEncoding::kDecimal, 1.40},
      {"walk of memory pages", ColumnEncoding::kDecimal, 0.92},
      {"noise", ColumnEncoding::kDecimal, 1.77},
      {"12 decimals", ColumnEncoding::kDecimal, 6.27},
      {"quotients", ColumnEncoding::kBits, 7.6},
      {"single precision", ColumnEncoding::kBits, 3.8},
      {"rare steps", ColumnEncoding::kChanges, 0.1},
      {"repeated quotients", ColumnEncoding::kChanges, 2.7},
      {"spikes", ColumnEncoding::kDecimal, 0.7},
      {"spikes both ways", ColumnEncoding::kDecimal, 0.85},
      {"minus zero among decimals", ColumnEncoding::kDecimal, 1.5},
      {"infinities among decimals", ColumnEncoding::kDecimal, 1.3},
      {"long decimals among short", ColumnEncoding::kDecimal, 1.3},
      {"random signs and exponents", ColumnEncoding::kRaw, 8.01},
      {"around 2^53", ColumnEncoding::kBits, 0.8},
  };
  for (const Want& want : wants) {
    for (const Nature& nature : Natures()) {
      if (std::string(nature.name) != want.name) continue;
      const std::string bytes = Encode(Take(nature, 512, 3));
      EXPECT_EQ(EncodingOf(bytes), want.encoding) << want.name;
      EXPECT_LE(static_cast<double>(bytes.size()) / 512, want.bytes_max) << want.name;
    }
  }
}

// What is on disk stays readable: these bytes are never changed, only added to.
TEST(Encodings, GoldenBytes) {
  const auto expect = [](const std::vector<double>& values, const std::string& hex) {
    EXPECT_EQ(absl::BytesToHexString(Encode(values)), hex);
    const std::string bytes = absl::HexStringToBytes(hex);
    absl::string_view rest = bytes;
    std::vector<double> got(values.size());
    ASSERT_TRUE(DecodeColumn(&rest, absl::MakeSpan(got))) << hex;
    for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(Bits(got[i]), Bits(values[i])) << hex;
  };
  const double third = 1 / 3.0;
  expect({1.5, 1.5, 1.5}, "01000000000000f83f");
  expect({1.2, 0.7, 1.9, 1.1, 0.8, 1.6}, "020100040e054c91");
  expect({1000, 1003, 1004, 1010, 1013, 1014, 1021, 1024}, "0210d00f00030242050b");
  expect({1, 4, 9, 16, 25, 36, 49, 64}, "02200206000004");
  expect({8192, 4096, 40960, 0, 4096, 8192}, "0200300400120a21");
  expect({third, third + 1e-16, third + 2e-16, third}, "04000402aad5aad5aad5aad57f24");
  expect({1e300, -1e-300}, "039c7500883ce4377e59f3f8c21f6ea581");
  std::vector<double> odd;
  for (int i = 0; i < 12; ++i) odd.push_back(i == 3 ? -0.0 : (i * 7 % 5) / 10.0);
  expect(odd, "0241010300000000000000800003001039881904");
  std::vector<double> patched;
  for (int i = 0; i < 130; ++i) patched.push_back(i == 70 ? 1000 : i % 2);
  expect(patched, "020002010001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0246d00f");
  std::vector<double> mini;
  for (int i = 0; i < 128; ++i) mini.push_back(i < 64 ? i % 2 : i * 37 % 64 * 1000);
  expect(
      mini,
      "0200010100aaaaaaaaaaaaaaaa100000008890102798b7204ea8de3075b80b409cc83250c3d85960eae8807017f8"
      "a7803e08cf906518f6a08c2823b0b3384ac0da4871d0075898e02e68bff05578e6007d881310a4983a20cba86130"
      "f2b888401fc8af5046d8d6606de8037094f82a80bb085290e21879a00f28a0b03638c7c05d48eed084581be0ab68"
      "42f0d27869");
  std::vector<double> changes(40, 5);
  std::fill(changes.begin() + 20, changes.end(), 7);
  std::fill(changes.begin() + 30, changes.end(), third);
  expect(changes, "050103140a0300000000000014400000000000001c40555555555555d53f");
}

// Machines with and without wide vectors write the same bytes and read them alike.
TEST(Encodings, BothInstructionSetsMakeTheSameBytes) {
  const bool wide = use_wide_functions;
  for (const Nature& nature : Natures()) {
    for (const size_t count : {3, 130, 512}) {
      const std::vector<double> values = Take(nature, count, 6);
      use_wide_functions = false;
      const std::string bytes = Encode(values);
      ExpectRoundTrip(values, nature.name);
      use_wide_functions = wide;
      EXPECT_EQ(bytes, Encode(values)) << nature.name;
    }
  }
}

TEST(Encodings, TruncatedAndDamagedColumnsNeverHarm) {
  Random random(11);
  for (const Nature& nature : Natures()) {
    for (const size_t count : {9, 130}) {
      const std::string bytes = Encode(Take(nature, count, 5));
      std::vector<double> got(count);
      for (size_t size = 0; size < bytes.size(); ++size) {
        // Of its own size on the heap: the sanitizers see a read past the end.
        const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
        absl::string_view rest(cut.data(), cut.size());
        ASSERT_FALSE(DecodeColumn(&rest, absl::MakeSpan(got))) << nature.name << " cut to " << size;
      }
      for (size_t at = 0; at < bytes.size(); ++at) {
        for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff, static_cast<int>(random() % 256)}) {
          std::vector<char> bad(bytes.begin(), bytes.end());
          bad[at] = static_cast<char>(value);
          absl::string_view rest(bad.data(), bad.size());
          if (DecodeColumn(&rest, absl::MakeSpan(got))) {
            ASSERT_LE(rest.size(), bad.size());
          }
        }
      }
    }
  }
}

TEST(Encodings, MalformedFieldsAreRefused) {
  const auto accepts = [](std::string bytes, size_t count) {
    bytes.resize(bytes.size() + 64, '\0');
    absl::string_view rest = bytes;
    std::vector<double> got(count);
    return DecodeColumn(&rest, absl::MakeSpan(got));
  };
  using std::string;
  EXPECT_TRUE(accepts(string("\x02\x00\x00\x01\x00\x05", 6), 4));
  EXPECT_FALSE(accepts(string("\x00\x00", 2), 4)) << "encoding 0";
  EXPECT_FALSE(accepts(string("\x06\x00", 2), 4)) << "encoding 6";
  EXPECT_FALSE(accepts(string("\x02\x80\x00\x01\x00\x05", 6), 4)) << "reserved flag";
  EXPECT_FALSE(accepts(string("\x02\x30\x00\x00\x00\x00\x00\x00\x00", 9), 8)) << "order 3";
  EXPECT_FALSE(accepts(string("\x02\x10\x00\x00\x00\x00", 6), 1)) << "order 1 of one value";
  EXPECT_FALSE(accepts(string("\x02\x00\x03\x01\x00\x05", 6), 4)) << "layout 3";
  EXPECT_FALSE(accepts(string("\x02\x00\x00\x41\x00\x05", 6), 4)) << "width 65";
  EXPECT_FALSE(accepts(string("\x02\x00\x02\x01\x00\x05\x00", 7), 4)) << "more patches than values";
  EXPECT_FALSE(accepts(string("\x02\x00\x02\x01\x00\x01\x05\x04\x00", 9), 4)) << "patch outside";
  EXPECT_FALSE(accepts(string("\x02\x40\x00", 3), 4)) << "no odd values";
  EXPECT_FALSE(accepts(string("\x02\x40\x01\x04", 4), 4)) << "odd value outside";
  EXPECT_FALSE(accepts(string("\x04\x01\x00\x01\x00\x05", 6), 4)) << "scale of bit patterns";
  EXPECT_FALSE(accepts(string("\x04\x40\x01\x01", 4), 4)) << "odd values of bit patterns";
  // 2^51 as an integer of decimals; one less is the last.
  EXPECT_FALSE(accepts(string("\x02\x00\x00\x00\x80\x80\x80\x80\x80\x80\x80\x08", 12), 4));
  EXPECT_TRUE(accepts(string("\x02\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\x07", 12), 4));
  EXPECT_TRUE(accepts(string("\x05\x00\x02\x05\x03", 5) + string(16, '\0'), 4));
  EXPECT_FALSE(accepts(string("\x05\x02\x02\x05\x03", 5) + string(16, '\0'), 4)) << "form 2";
  EXPECT_FALSE(accepts(string("\x05\x00\x03\x05\x03", 5) + string(24, '\0'), 4))
      << "bits and count";
  EXPECT_FALSE(accepts(string("\x05\x00\x02\x06\x03", 5) + string(16, '\0'), 4)) << "first bit";
  EXPECT_FALSE(accepts(string("\x05\x00\x02\x11\x03", 5) + string(16, '\0'), 4)) << "spare bit";
  EXPECT_FALSE(accepts(string("\x05\x01\x02\x00\x03", 5) + string(16, '\0'), 4)) << "distance 0";
  EXPECT_FALSE(accepts(string("\x05\x01\x02\x04\x03", 5) + string(16, '\0'), 4)) << "distance 4";
  EXPECT_FALSE(accepts(string("\x05\x01\x01\x05\x01\x01\x01", 7), 4)) << "changes of changes";
}

TEST(Decimals, FindsTheScaleWhereOneValueHasMoreDigits) {
  std::vector<double> values(512, 1.5);
  for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<double>(i);
  for (const size_t at : {0, 1, 100, 511}) {
    std::vector<double> with = values;
    with[at] = 7.123456789;
    int scale = -1;
    std::vector<int64_t> integers(with.size());
    std::vector<uint16_t> odd;
    ASSERT_TRUE(ToDecimals(with, &scale, integers.data(), &odd));
    EXPECT_EQ(scale, 1) << at;
    EXPECT_EQ(odd, std::vector<uint16_t>{static_cast<uint16_t>(at)});
  }
}

TEST(Decimals, EveryDecimalWithinTheLimitIsFound) {
  Random random(5);
  for (int scale = 0; scale <= kScaleMax; ++scale) {
    for (int trial = 0; trial < 2000; ++trial) {
      const int digits = 1 + static_cast<int>(random() % 51);
      const int64_t integer = static_cast<int64_t>(random() >> (64 - digits));
      const double value = static_cast<double>(integer) / std::stod("1e" + std::to_string(scale));
      int found = -1;
      int64_t back = 0;
      std::vector<uint16_t> odd;
      ASSERT_TRUE(ToDecimals({value}, &found, &back, &odd)) << integer << " e-" << scale;
      ASSERT_LE(found, scale);
      ASSERT_TRUE(odd.empty());
    }
  }
}

TEST(IntegerBlocks, PlansAreExactAndPatchesPay) {
  Random random(9);
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<int64_t> values(1 + random() % 700);
    const int width = static_cast<int>(random() % 64);
    const int shift = static_cast<int>(random() % 20);
    const uint64_t spikes = 1 + random() % 100;
    for (int64_t& value : values) {
      uint64_t bits = (random() >> (63 - width)) << shift;
      if (random() % spikes == 0) bits = random() << shift;
      value = static_cast<int64_t>(bits);
    }
    BlockPlan plan = PlanBlocks(values);
    const size_t plain = plan.bytes;
    TryPatches(values, &plan);
    ASSERT_LE(plan.bytes, plain);
    std::string bytes(plan.bytes, '\0');
    PutBlocks(values, plan, bytes.data());
    ByteReader in(bytes);
    std::vector<uint64_t> got(values.size());
    ASSERT_TRUE(TakeBlocks(&in, got.size(), got.data()));
    ASSERT_TRUE(in.empty());
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(got[i], static_cast<uint64_t>(values[i])) << "trial " << trial << " value " << i;
  }
  std::vector<int64_t> spiky(512, 0);
  for (size_t i = 0; i < spiky.size(); ++i) spiky[i] = static_cast<int64_t>(random() % 16);
  for (const size_t at : {3, 100, 200, 300}) spiky[at] = 1 << 20;
  BlockPlan plan = PlanBlocks(spiky);
  TryPatches(spiky, &plan);
  EXPECT_EQ(plan.layout, BlockLayout::kPatched);
  EXPECT_EQ(plan.patches, 4u);
  EXPECT_LT(plan.bytes, 256u + 40);
}

}  // namespace
}  // namespace shoal
