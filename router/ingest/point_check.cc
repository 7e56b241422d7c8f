#include "router/ingest/point_check.h"

#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace shoal {

LineError CheckNumbers(double timestamp, double value, uint32_t now_sec, const LineSyntax& syntax,
                       ParsedLine* parsed) {
  if (std::isnan(value)) return LineError::kNanValue;
  if (std::isinf(value) && !syntax.accept_infinite) return LineError::kInfiniteValue;
  const double seconds = std::trunc(timestamp);
  if (seconds == 0 || seconds == -1) {
    parsed->timestamp_sec = now_sec;
  } else if (seconds >= 1 && seconds <= std::numeric_limits<uint32_t>::max()) {
    parsed->timestamp_sec = static_cast<uint32_t>(seconds);
  } else {
    return LineError::kBadTimestamp;  // not a number neither
  }
  parsed->value = value;
  return LineError::kNone;
}

bool ParseNumberText(absl::string_view text, double* number) {
  text = absl::StripAsciiWhitespace(text);
  // SimpleAtod would take hexadecimal numbers and "nan(...)" too.
  if (text.find_first_of("xX(_") != absl::string_view::npos) return false;
  return absl::SimpleAtod(text, number);
}

}  // namespace shoal
