// Lines: framing and parsing in any division into reads give the same, and a line that was taken,
// printed again, gives the same point.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/metric/metric_name.h"
#include "router/ingest/line_framer.h"
#include "router/ingest/plaintext_parser.h"

namespace {

using shoal::LineError;
using shoal::ParsedLine;

constexpr uint32_t kNow = 1'700'000'000;
constexpr size_t kLineMax = 256;

std::vector<std::pair<bool, std::string>> Cut(absl::string_view bytes, size_t read_size) {
  std::vector<std::pair<bool, std::string>> lines;
  shoal::LineFramer framer(kLineMax);
  for (size_t i = 0; i < bytes.size(); i += read_size) {
    framer.Feed(
        bytes.substr(i, read_size),
        [&](absl::string_view line) { lines.emplace_back(true, std::string(line)); },
        [&](absl::string_view) { lines.emplace_back(false, std::string()); });
    SHOAL_CHECK(framer.partial().size() <= kLineMax);
  }
  lines.emplace_back(true, std::string(framer.partial()));
  return lines;
}

void CheckLine(const std::string& line, const shoal::LineSyntax& syntax) {
  ParsedLine parsed;
  shoal::IsBlankLine(line);
  if (shoal::ParseLine(line, kNow, syntax, &parsed) != LineError::kNone) return;
  SHOAL_CHECK(!std::isnan(parsed.value));
  SHOAL_CHECK(syntax.accept_infinite || !std::isinf(parsed.value));
  SHOAL_CHECK(parsed.timestamp_sec >= 1);
  SHOAL_CHECK(!parsed.name.empty() && parsed.name.size() <= line.size());
  if (shoal::ValidateName(parsed.name) == shoal::NameError::kNone) {
    shoal::CanonicalName(parsed.name);
  }
  const std::string printed = absl::StrFormat("%s %.17g %d", parsed.name, parsed.value,
                                              static_cast<int64_t>(parsed.timestamp_sec));
  ParsedLine again;
  SHOAL_CHECK(shoal::ParseLine(printed, 1, syntax, &again) == LineError::kNone);
  SHOAL_CHECK(again.name == parsed.name && again.timestamp_sec == parsed.timestamp_sec);
  SHOAL_CHECK(std::memcmp(&again.value, &parsed.value, sizeof(double)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t read_size = 1 + data[0] % 16;
  const shoal::LineSyntax syntax{.accept_infinite = (data[0] & 0x40) != 0,
                                 .accept_two_fields = (data[0] & 0x80) != 0};
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto lines = Cut(bytes, bytes.size() + 1);
  SHOAL_CHECK(lines == Cut(bytes, read_size));
  for (const auto& [whole, line] : lines) {
    if (whole) CheckLine(line, syntax);
  }
  return 0;
}
