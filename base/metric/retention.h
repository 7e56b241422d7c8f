// storage-schemas.conf: which archives a series has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// One (step, retention).
struct Archive {
  int64_t step_sec = 60;
  int64_t points = 10080;
  int64_t retention_sec() const { return step_sec * points; }
  friend bool operator==(const Archive&, const Archive&) = default;
};

// "10s:6h,60s:7d,10m:5y" -> archives sorted by step. Units s, m (minutes), h, d, w, y, and
// whisper's prefixes of the whole words; a bare precision is seconds, a bare retention a number of
// points. Whisper's rules hold: distinct steps, each divides the next, each later archive covers
// more time and the earlier one holds at least one point of the later.
absl::StatusOr<std::vector<Archive>> ParseRetentions(absl::string_view text);
std::string RetentionsText(
    const std::vector<Archive>& archives);  // "10s:6h,..." in the largest whole units

// The first archive whose retention covers `age_sec`, or the last one.
size_t ArchiveForAge(const std::vector<Archive>& archives, int64_t age_sec);

// The rules of one file, in order; first match wins. Immutable, thread safe.
class SchemaRules {
 public:
  // No rules: everything is 60s:7d, Graphite's default.
  SchemaRules();
  ~SchemaRules();
  SchemaRules(SchemaRules&&) noexcept;
  SchemaRules& operator=(SchemaRules&&) noexcept;

  static absl::StatusOr<SchemaRules> Parse(absl::string_view text, absl::string_view file);
  static absl::StatusOr<SchemaRules> Load(const std::string& path);

  struct Match {
    absl::string_view section;  // "default" when no rule matched
    const std::vector<Archive>* archives;
  };
  // The pattern is searched for in the name, not anchored.
  Match Find(absl::string_view name) const;

 private:
  struct Rule;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<Archive> default_archives_;
};

}  // namespace shoal
