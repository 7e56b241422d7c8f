// Cuts a carbon-c-relay configuration into words.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct CrelayToken {
  enum class Kind { kWord, kQuoted, kSemicolon, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // of words as they are written; of quoted ones without quotes and escapes
  int line = 0;
};

// Words end at a blank, a newline, ';', '#' or a quote; "\ " is a blank within a word, and stays as
// it is written. '#' begins a comment. '=' is part of words: only the members of a cluster know it
// apart. The last token is kEnd. Errors name `file` and line.
absl::StatusOr<std::vector<CrelayToken>> TokenizeCrelay(absl::string_view text,
                                                        absl::string_view file);

}  // namespace shoal
