#include "base/metric/config_pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/logging.h"

namespace shoal {

absl::Status SectionError(absl::string_view file, int line, const CarbonIniSection& section,
                          absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat(file, ":", line, ": [", section.name, "]: ", message));
}

absl::StatusOr<std::unique_ptr<re2::RE2>> CompileSectionPattern(absl::string_view file,
                                                                const CarbonIniSection& section) {
  const CarbonIniEntry* entry = section.Find("pattern");
  if (entry == nullptr) return SectionError(file, section.line, section, "no pattern");
  RE2::Options options;
  options.set_log_errors(false);
  auto pattern = std::make_unique<RE2>(entry->value, options);
  if (!pattern->ok()) {
    return SectionError(
        file, entry->line, section,
        absl::StrCat("pattern \"", entry->value, "\" cannot be used: ", pattern->error()));
  }
  return pattern;
}

void WarnOfUnknownKeys(absl::string_view file, const CarbonIniSection& section,
                       absl::Span<const absl::string_view> known) {
  for (const CarbonIniEntry& entry : section.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    LogWarning("config", file, ":", entry.line, ": [", section.name, "]: ", entry.key,
               ": unknown setting, ignored");
  }
}

}  // namespace shoal
