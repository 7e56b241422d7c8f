// Answers for pickle_diff.py. Input: frames of a 4-byte big-endian length and a pickle; per frame
// the output has a line per point ("NAME TIMESTAMP VALUE", the name in hexadecimal), one "bad" per
// refused element, and "end ERROR".
#include <array>
#include <cstdio>
#include <iostream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "router/ingest/length_framer.h"
#include "router/ingest/pickle_parser.h"

int main() {
  shoal::LengthFramer framer(64 << 20);
  shoal::PickleParser parser({.items_max = 64 << 20});
  const auto on_frame = [&](absl::string_view frame) {
    const shoal::PickleError error = parser.Parse(
        frame, 1'700'000'000, {.accept_infinite = true},
        [](const shoal::ParsedLine& point) {
          std::cout << absl::StrFormat("%s %d %.17g\n", absl::BytesToHexString(point.name),
                                       point.timestamp_sec, point.value);
        },
        [](shoal::LineError, absl::string_view) { std::cout << "bad\n"; });
    std::cout << "end " << shoal::PickleErrorName(error) << "\n";
    return true;
  };
  std::array<char, 1 << 16> buffer;
  size_t got;
  while ((got = std::fread(buffer.data(), 1, buffer.size(), stdin)) > 0) {
    if (!framer.Feed(absl::string_view(buffer.data(), got), on_frame)) return 1;
  }
  return framer.has_partial() ? 1 : 0;
}
