// Many regular expressions that are searched for in one name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace re2 {
class RE2;
}

namespace shoal {

struct PatternOptions {
  bool ignore_case = false;
  bool longest_match = false;  // POSIX: of the matches at the leftmost place the longest one
};

// One pass over the name for all of them, however many there are. Add and Compile first; after that
// immutable and thread safe.
class PatternSet {
 public:
  PatternSet();
  ~PatternSet();
  PatternSet(PatternSet&&) noexcept;
  PatternSet& operator=(PatternSet&&) noexcept;

  // The number of the pattern, counted from 0. InvalidArgument for what RE2 does not know
  // (look-around, back-references), for a pattern that takes too much memory, and for too many of
  // them.
  absl::StatusOr<uint32_t> Add(absl::string_view pattern, const PatternOptions& options);
  absl::Status Compile();

  // *matches: for each pattern whether it is found anywhere in `name`.
  void Match(absl::string_view name, std::vector<bool>* matches) const;

  size_t size() const { return patterns_.size(); }
  const std::string& text(uint32_t pattern) const;
  const re2::RE2& regex(uint32_t pattern) const { return *patterns_[pattern]; }

 private:
  class Impl;
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
  std::vector<std::string> texts_;
  std::unique_ptr<Impl> set_;
};

}  // namespace shoal
