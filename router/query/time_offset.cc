#include "router/query/time_offset.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr int64_t kDaySec = 86400;
constexpr int64_t kOffsetSecMax = 10000 * 365 * kDaySec;

// 0 for an unknown unit.
int64_t UnitSec(absl::string_view unit) {
  if (absl::StartsWith(unit, "s")) return 1;
  if (absl::StartsWith(unit, "min")) return 60;
  if (absl::StartsWith(unit, "h")) return 3600;
  if (absl::StartsWith(unit, "d")) return kDaySec;
  if (absl::StartsWith(unit, "w")) return 7 * kDaySec;
  if (absl::StartsWith(unit, "mon")) return 30 * kDaySec;
  if (absl::StartsWith(unit, "y")) return 365 * kDaySec;
  return 0;
}

}  // namespace

absl::StatusOr<int64_t> ParseTimeOffset(absl::string_view text) {
  if (text.empty()) return 0;
  const absl::string_view whole = text;
  auto invalid = [whole](absl::string_view reason) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid length of time \"", whole.substr(0, 64), "\": ", reason));
  };
  int64_t sign = 1;
  if (text.front() == '+' || text.front() == '-') {
    sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
  } else if (!absl::ascii_isdigit(static_cast<unsigned char>(text.front()))) {
    return invalid("it starts neither with a digit nor with a sign");
  }
  int64_t total = 0;
  while (!text.empty()) {
    int64_t number = 0;
    size_t digits = 0;
    while (digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits]))) {
      if (number <= kOffsetSecMax) number = number * 10 + (text[digits] - '0');
      ++digits;
    }
    if (digits == 0) return invalid("a number is missing");
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() &&
           absl::ascii_isalpha(static_cast<unsigned char>(text[letters]))) {
      ++letters;
    }
    const absl::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    const int64_t unit_sec = UnitSec(unit);
    if (unit_sec == 0) {
      return invalid(
          absl::StrCat("unknown unit \"", unit.substr(0, 16), "\" (s, min, h, d, w, mon or y)"));
    }
    if (number > (kOffsetSecMax - total) / unit_sec) return invalid("it is too long");
    total += number * unit_sec;
  }
  return sign * total;
}

}  // namespace shoal
