// re.sub of Python on top of RE2: linear time whatever the pattern.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace re2 {
class RE2;
}

namespace shoal {

// Immutable after Compile, thread safe.
class RegexReplace {
 public:
  // InvalidArgument for a pattern that RE2 does not know (look-around, back-references in the
  // pattern) and for a replacement that Python would refuse: an unknown escape of a letter, or a
  // group that the pattern does not have.
  static absl::StatusOr<RegexReplace> Compile(absl::string_view pattern,
                                              absl::string_view replacement);
  RegexReplace(RegexReplace&&) noexcept;
  RegexReplace& operator=(RegexReplace&&) noexcept;
  ~RegexReplace();

  // All matches from left to right replaced. As in Python 3.7 and later an empty match counts,
  // unless it lies where another empty match has just been.
  std::string Apply(absl::string_view text) const;

 private:
  // Literal text, or the number of a group when `group` is not negative.
  struct Piece {
    std::string text;
    int group = -1;
  };

  RegexReplace();
  absl::Status ParseReplacement(absl::string_view replacement);
  absl::Status AddGroup(int group);
  absl::Status AddNamedGroup(absl::string_view name);
  void AddText(absl::string_view text);

  std::unique_ptr<re2::RE2> pattern_;
  std::vector<Piece> pieces_;
  int groups_used_ = 0;  // highest group of the replacement
};

}  // namespace shoal
