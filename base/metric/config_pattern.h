// What the sections of storage-schemas.conf and storage-aggregation.conf have in common: a name and
// a pattern.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/carbon_ini.h"

namespace re2 {
class RE2;
}

namespace shoal {

// "file:line: [section]: message".
absl::Status SectionError(absl::string_view file, int line, const CarbonIniSection& section,
                          absl::string_view message);

// The compiled `pattern` of a section: a regular expression that is searched for in a name, not
// anchored. The files hold Python's regular expressions; what RE2 cannot do (look-around,
// back-references) is an error, since a rule that is skipped would give series the wrong archives
// for ever.
absl::StatusOr<std::unique_ptr<re2::RE2>> CompileSectionPattern(absl::string_view file,
                                                                const CarbonIniSection& section);

// Logs a warning for each key that is not in `known`: other carbon servers have keys of their own
// in these files.
void WarnOfUnknownKeys(absl::string_view file, const CarbonIniSection& section,
                       absl::Span<const absl::string_view> known);

}  // namespace shoal
