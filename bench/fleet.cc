#include "bench/fleet.h"

#include <array>
#include <charconv>

#include "absl/strings/str_format.h"
#include "base/checksum.h"

namespace shoal {
namespace {

constexpr int kDecimalsMax = 12;
constexpr std::array<int64_t, kDecimalsMax + 1> kPowersOfTen = {1,
                                                                10,
                                                                100,
                                                                1'000,
                                                                10'000,
                                                                100'000,
                                                                1'000'000,
                                                                10'000'000,
                                                                100'000'000,
                                                                1'000'000'000,
                                                                10'000'000'000,
                                                                100'000'000'000,
                                                                1'000'000'000'000};

}  // namespace

double DecimalValue::AsDouble() const {
  // Both are exact, so the quotient is the nearest double, as a parser's is.
  return static_cast<double>(scaled) /
         static_cast<double>(kPowersOfTen[static_cast<size_t>(decimals)]);
}

void DecimalValue::AppendTo(std::string* text) const {
  char digits[48];
  char* at = digits;
  uint64_t rest = static_cast<uint64_t>(scaled);
  if (scaled < 0) {
    *at++ = '-';
    rest = 0 - rest;
  }
  const uint64_t power = static_cast<uint64_t>(kPowersOfTen[static_cast<size_t>(decimals)]);
  at = std::to_chars(at, digits + sizeof(digits), rest / power).ptr;
  if (decimals > 0) {
    *at++ = '.';
    uint64_t fraction = rest % power;
    for (int i = decimals - 1; i >= 0; --i) {
      at[i] = static_cast<char>('0' + fraction % 10);
      fraction /= 10;
    }
    at += decimals;
  }
  text->append(digits, static_cast<size_t>(at - digits));
}

FleetSeries::FleetSeries(uint64_t seed, int64_t series)
    : series_(series), state_(Hash64(&series, sizeof(series), seed)) {
  walk_ = static_cast<int64_t>(state_ % 100'000);
}

uint32_t FleetSeries::Random() {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state_ >> 33);
}

DecimalValue FleetSeries::Next() {
  switch (series_ % 10) {
    case 0:
    case 1:
      return {series_ % 97, 0};
    case 2:
    case 3:
    case 4:
      walk_ += Random() % 1000;
      return {walk_, 0};
    case 9: {
      const uint64_t random = uint64_t{Random()} << 31 | Random();
      return {static_cast<int64_t>(random % 1'000'000'000'000'000), 12};
    }
    default:
      walk_ += static_cast<int64_t>(Random() % 2001) - 1000;
      return {walk_, 2};
  }
}

std::string FleetName(absl::string_view prefix, int64_t series) {
  return absl::StrFormat("%s.host%05d.metric%03d", prefix, series / 100, series % 100);
}

}  // namespace shoal
