#include "router/query/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/string_view.h"

namespace shoal {
namespace {

// Python switches to an exponent below 1e-4 and from 1e16 on.
constexpr int kExponentMin = -4;
constexpr int kExponentMax = 16;

char* Append(absl::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// Lays out shortest digits "d.ddde[+-]xx" as Python does.
char* WriteFromScientific(const char* text, const char* end, char* out) {
  char digits[24];
  int digit_count = 0;
  const char* p = text;
  for (; p != end && *p != 'e'; ++p) {
    if (*p != '.') digits[digit_count++] = *p;
  }
  ++p;  // 'e'
  if (p != end && *p == '+') ++p;
  int exponent = 0;
  std::from_chars(p, end, exponent);

  if (exponent < kExponentMin || exponent >= kExponentMax) {
    *out++ = digits[0];
    if (digit_count > 1) {
      *out++ = '.';
      out = Append(absl::string_view(digits + 1, static_cast<size_t>(digit_count - 1)), out);
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    const int magnitude = std::abs(exponent);
    if (magnitude < 10) *out++ = '0';
    return std::to_chars(out, out + 4, magnitude).ptr;
  }
  if (exponent < 0) {
    out = Append("0.", out);
    for (int i = -1; i > exponent; --i) *out++ = '0';
    return Append(absl::string_view(digits, static_cast<size_t>(digit_count)), out);
  }
  const int whole_digits = exponent + 1;
  for (int i = 0; i < whole_digits; ++i) *out++ = i < digit_count ? digits[i] : '0';
  *out++ = '.';
  if (digit_count <= whole_digits) {
    *out++ = '0';
    return out;
  }
  return Append(
      absl::string_view(digits + whole_digits, static_cast<size_t>(digit_count - whole_digits)),
      out);
}

// A decimal of at most 15 digits names its double uniquely, so when value is exactly thousandths /
// 1000.0 that decimal, without trailing zeros, is the shortest text. Most metric values are of this
// kind. Null when value is not.
char* WriteThousandths(double value, char* out) {
  const double scaled = value * 1000.0;
  if (!(std::fabs(scaled) < 1e15)) return nullptr;
  const double whole = std::nearbyint(scaled);
  if (whole / 1000.0 != value || (whole == 0 && std::signbit(value))) return nullptr;
  int64_t thousandths = static_cast<int64_t>(whole);
  if (thousandths < 0) {
    *out++ = '-';
    thousandths = -thousandths;
  }
  out = std::to_chars(out, out + 20, thousandths / 1000).ptr;
  *out++ = '.';
  const int fraction = static_cast<int>(thousandths % 1000);
  *out++ = static_cast<char>('0' + fraction / 100);
  if (fraction % 100 == 0) return out;
  *out++ = static_cast<char>('0' + fraction / 10 % 10);
  if (fraction % 10 == 0) return out;
  *out++ = static_cast<char>('0' + fraction % 10);
  return out;
}

}  // namespace

char* WriteFloat(double value, char* out) {
  if (std::isnan(value)) return Append("nan", out);
  if (std::isinf(value)) return Append(value < 0 ? "-inf" : "inf", out);
  if (char* end = WriteThousandths(value, out); end != nullptr) return end;
  if (std::signbit(value)) {
    *out++ = '-';
    value = -value;
  }
  char text[32];
  const auto result =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific);
  return WriteFromScientific(text, result.ptr, out);
}

std::string FloatText(double value) {
  char text[kFloatTextBytesMax];
  return std::string(text, WriteFloat(value, text));
}

std::string ShortFloatText(double value) {
  char text[kFloatTextBytesMax];
  const int size = std::snprintf(text, sizeof(text), "%g", value);
  return std::string(text, static_cast<size_t>(size));
}

double RoundToMicro(double value) {
  constexpr double kMicro = 1e6;
  if (!std::isfinite(value)) return value;
  const double scaled = value * kMicro;
  const double magnitude = std::fabs(scaled);
  // Past 2^52 millionths the double has no more than six decimals to begin with.
  if (magnitude >= 4503599627370496.0) return value;
  const double whole = std::nearbyint(scaled);
  // `scaled` is off by at most half a unit in the last place. Away from a tie that cannot change
  // the integer, and an exact integer divided by an exact power of ten is the correctly rounded
  // answer.
  const double from_tie = std::fabs(std::fabs(scaled - std::trunc(scaled)) - 0.5);
  if (from_tie > magnitude * 2.3e-16 + 1e-9) return whole / kMicro;
  char text[400];
  std::snprintf(text, sizeof(text), "%.6f", value);
  return std::strtod(text, nullptr);
}

}  // namespace shoal
