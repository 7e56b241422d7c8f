// A name made of text and of what a regular expression has captured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace re2 {
class RE2;
}

namespace shoal {

// Immutable, thread safe.
class NameTemplate {
 public:
  // carbon-c-relay's "\1": the first group of `regex`, "\g{1}" the same before a digit; behind the
  // backslash '_' makes it lower case, '^' upper case, '.' turns its dots into underscores. Another
  // escaped character is itself. A regex without groups leaves the text as it is, backslashes and
  // all. InvalidArgument for a group that the regex does not have, where carbon-c-relay would put
  // nothing.
  static absl::StatusOr<NameTemplate> ParseCrelay(absl::string_view text, const re2::RE2& regex);
  // The output of carbon's aggregation rules: "<field>" for the group of that name.
  static absl::StatusOr<NameTemplate> ParseCarbon(absl::string_view text, const re2::RE2& regex);

  // `groups`: the match as a whole and its groups; those that took no part are empty.
  std::string Expand(absl::Span<const absl::string_view> groups) const;
  // The highest group in use: how many groups Expand has to be given besides the whole match.
  int groups() const { return groups_; }

 private:
  enum class Case : uint8_t { kKeep, kLower, kUpper };
  struct Piece {
    std::string text;  // in front of the group
    int group = -1;    // none
    Case letters = Case::kKeep;
    bool dots_to_underscores = false;
  };
  void AddText(absl::string_view text);
  absl::Status AddGroup(int group, int groups_of_regex, Case letters, bool dots_to_underscores);

  std::vector<Piece> pieces_;
  int groups_ = 0;
};

}  // namespace shoal
