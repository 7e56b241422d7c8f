// Graphite's braces: "a{b,c{d,e}}" -> "ab", "acd", "ace".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

enum class BraceFilter {
  kAll,
  kWithDots,  // only braces that hold a dot; the others stay as text
};

// All texts that the pattern stands for, without duplicates, in order of first appearance. A
// bracket ("[a,{]") is plain text to braces. InvalidArgument for what is unclosed, and past the
// bounds: `count_max` texts, kExpandedBytesMax bytes in all of them, kBraceDepthMax braces in each
// other. Time and memory are bounded by these too.
absl::StatusOr<std::vector<std::string>> ExpandBraces(absl::string_view pattern, BraceFilter filter,
                                                      size_t count_max);
inline constexpr size_t kExpandedBytesMax = 256 << 10;
inline constexpr int kBraceDepthMax = 16;

// Size of the bracket expression at `text[0]`, which is '[', up to and with its ']'; 0 when
// unclosed. As in fnmatch, a ']' right after "[" or "[!" is a member.
size_t BracketSize(absl::string_view text);

}  // namespace shoal
