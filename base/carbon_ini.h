// The INI dialect of Graphite's own files (storage-schemas.conf, storage-aggregation.conf,
// relay-rules.conf).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct CarbonIniEntry {
  std::string key;  // lower case
  std::string value;
  int line = 0;
};

struct CarbonIniSection {
  std::string name;
  int line = 0;
  std::vector<CarbonIniEntry> entries;

  // nullptr when absent; `key` in lower case.
  const CarbonIniEntry* Find(absl::string_view key) const;
};

// Sections in file order. Comments start with '#' or ';' at the start of a line (or '#' after white
// space, as people write them), "key = value" or "key: value". Errors name `file` and the line.
absl::StatusOr<std::vector<CarbonIniSection>> ParseCarbonIni(absl::string_view text,
                                                             absl::string_view file);

// Whole file as text, at most 16 MiB.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

}  // namespace shoal
