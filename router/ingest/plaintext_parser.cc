#include "router/ingest/plaintext_parser.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <system_error>

#include "base/coding.h"

namespace shoal {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The first blank of [at, end), or end. Eight bytes at a time while there are as many.
const char* FindBlank(const char* at, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighBits = kOnes << 7;
  while (end - at >= 8) {
    const uint64_t word = LoadLE<uint64_t>(at);
    // The lowest byte that is marked is below '!'; a higher one may be marked by the borrow.
    const uint64_t marked = (word - kOnes * '!') & ~word & kHighBits;
    if (marked == 0) {
      at += 8;
      continue;
    }
    at += std::countr_zero(marked) / 8;
    if (IsBlank(*at)) return at;
    ++at;  // another control character
  }
  while (at != end && !IsBlank(*at)) ++at;
  return at;
}

// Takes the next field off *rest; empty when there is none.
absl::string_view NextField(absl::string_view* rest) {
  const char* at = rest->data();
  const char* const end = at + rest->size();
  while (at != end && IsBlank(*at)) ++at;
  const char* const begin = at;
  at = FindBlank(at, end);
  *rest = absl::string_view(at, static_cast<size_t>(end - at));
  return absl::string_view(begin, static_cast<size_t>(at - begin));
}

bool EqualsIgnoringCase(absl::string_view text, absl::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

// Digits with at most one point among them, few enough that mantissa and power of ten are exact
// doubles: then their quotient is the nearest double, as from_chars would find it. False when
// `digits` is anything else, which says nothing about it.
bool ParseShortDecimal(absl::string_view digits, double* value) {
  constexpr size_t kDigitsMax = 15;  // below 2^53, whatever they are
  static constexpr double kPowersOfTen[kDigitsMax + 1] = {
      1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  if (digits.size() > kDigitsMax + 1) return false;
  uint64_t mantissa = 0;
  size_t count = 0;
  size_t point = digits.size();
  for (size_t i = 0; i < digits.size(); ++i) {
    const unsigned digit = static_cast<unsigned char>(digits[i]) - unsigned{'0'};
    if (digit <= 9) {
      mantissa = mantissa * 10 + digit;
      ++count;
    } else if (digits[i] == '.' && point == digits.size()) {
      point = i;
    } else {
      return false;
    }
  }
  if (count == 0 || count > kDigitsMax) return false;
  const size_t decimals = point == digits.size() ? 0 : digits.size() - point - 1;
  *value = static_cast<double>(mantissa) / kPowersOfTen[decimals];
  return true;
}

// Python's float() for what is not plain digits. False when `text` is not a number at all; an
// overflow gives an infinity, an underflow zero, as in Python.
bool ParseDouble(absl::string_view text, double* value) {
  absl::string_view digits = text;
  const bool negative = !digits.empty() && digits.front() == '-';
  if (negative || (!digits.empty() && digits.front() == '+')) digits.remove_prefix(1);
  if (digits.empty()) return false;
  if (ParseShortDecimal(digits, value)) {
    if (negative) *value = -*value;
    return true;
  }
  if (!IsDigit(digits.front()) && digits.front() != '.') {
    // from_chars would also take a second sign and "nan(...)".
    if (EqualsIgnoringCase(digits, "nan")) {
      *value = std::numeric_limits<double>::quiet_NaN();
    } else if (EqualsIgnoringCase(digits, "inf") || EqualsIgnoringCase(digits, "infinity")) {
      *value = std::numeric_limits<double>::infinity();
    } else {
      return false;
    }
  } else {
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, *value);
    if (stop != end || error == std::errc::invalid_argument) return false;
    // Out of range says nothing about the direction, and is rare enough for a copy.
    if (error != std::errc()) *value = std::strtod(std::string(digits).c_str(), nullptr);
  }
  if (negative) *value = -*value;
  return true;
}

bool ParseTimestamp(absl::string_view text, uint32_t now_sec, uint32_t* timestamp_sec) {
  int64_t seconds = 0;
  if (text.size() <= 10 && IsDigit(text.front())) {
    // The common case: nothing but digits, which cannot overflow 64 bits.
    size_t i = 0;
    for (; i < text.size() && IsDigit(text[i]); ++i) seconds = seconds * 10 + (text[i] - '0');
    if (i != text.size()) seconds = -2;
  } else {
    seconds = -2;
  }
  if (seconds == -2) {
    if (text == "N") {
      *timestamp_sec = now_sec;
      return true;
    }
    double number = 0;
    if (!ParseDouble(text, &number) || !(std::fabs(number) < 1e15)) return false;
    seconds = static_cast<int64_t>(number);
  }
  if (seconds == 0 || seconds == -1) {
    *timestamp_sec = now_sec;
    return true;
  }
  if (seconds < 0 || seconds > std::numeric_limits<uint32_t>::max()) return false;
  *timestamp_sec = static_cast<uint32_t>(seconds);
  return true;
}

}  // namespace

const char* LineErrorName(LineError error) {
  switch (error) {
    case LineError::kNone:
      return "none";
    case LineError::kBadFieldCount:
      return "bad_field_count";
    case LineError::kBadValue:
      return "bad_value";
    case LineError::kNanValue:
      return "nan_value";
    case LineError::kInfiniteValue:
      return "infinite_value";
    case LineError::kBadTimestamp:
      return "bad_timestamp";
    case LineError::kEmptyName:
      return "empty_name";
    case LineError::kNameTooLong:
      return "name_too_long";
    case LineError::kBadByte:
      return "bad_byte";
    case LineError::kEmptyNode:
      return "empty_node";
    case LineError::kBadTag:
      return "bad_tag";
    case LineError::kLineTooLong:
      return "line_too_long";
    case LineError::kPartialLineAtClose:
      return "partial_line_at_close";
  }
  return "none";
}

LineError ParseLine(absl::string_view line, uint32_t now_sec, const LineSyntax& syntax,
                    ParsedLine* parsed) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  absl::string_view rest = line;
  const absl::string_view name = NextField(&rest);
  const absl::string_view value = NextField(&rest);
  const absl::string_view timestamp = NextField(&rest);
  if (value.empty()) return LineError::kBadFieldCount;
  if (timestamp.empty()) {
    if (!syntax.accept_two_fields) return LineError::kBadFieldCount;
  } else if (!rest.empty() && !NextField(&rest).empty()) {
    return LineError::kBadFieldCount;
  }

  if (!ParseDouble(value, &parsed->value)) return LineError::kBadValue;
  if (std::isnan(parsed->value)) return LineError::kNanValue;
  if (std::isinf(parsed->value) && !syntax.accept_infinite) return LineError::kInfiniteValue;
  if (timestamp.empty()) {
    parsed->timestamp_sec = now_sec;
  } else if (!ParseTimestamp(timestamp, now_sec, &parsed->timestamp_sec)) {
    return LineError::kBadTimestamp;
  }
  parsed->name = name;
  return LineError::kNone;
}

bool IsBlankLine(absl::string_view line) {
  for (const char c : line) {
    if (!IsBlank(c) && c != '\r') return false;
  }
  return true;
}

}  // namespace shoal
