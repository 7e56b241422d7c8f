// carbon_ini: never crashes; what it accepts has sections with names, keys in lower case, and lines
// within the text; and the two files that are made of it parse or fail cleanly too.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "base/carbon_ini.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  const auto sections = shoal::ParseCarbonIni(text, "fuzz.conf");
  if (!sections.ok()) return 0;
  int last_line = 0;
  for (const shoal::CarbonIniSection& section : *sections) {
    SHOAL_CHECK(!section.name.empty());
    SHOAL_CHECK(section.line > last_line && section.line <= lines);
    last_line = section.line;
    for (const shoal::CarbonIniEntry& entry : section.entries) {
      SHOAL_CHECK(entry.line > last_line && entry.line <= lines);
      last_line = entry.line;
      SHOAL_CHECK(!entry.key.empty());
      SHOAL_CHECK(std::none_of(entry.key.begin(), entry.key.end(), [](char c) {
        return absl::ascii_isupper(static_cast<unsigned char>(c));
      }));
      SHOAL_CHECK(section.Find(entry.key) == &entry);
    }
  }
  return 0;
}
