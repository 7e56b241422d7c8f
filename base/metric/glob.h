// Graphite's patterns: '*', '?', '[abc]', '[a-z]', '[!x]', '{a,b}' within a node, '**' for any
// depth.
//
// '?' and the members of a bracket are characters (UTF-8), not bytes. Patterns come from strangers:
// compiling is bounded in time and memory (see Compile), and no pattern makes matching exponential.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// One node of a pattern ("web[0-9]*"), compiled once. An alternative costs at most (its size) x
// (size of the text), and in practice one pass; plain alternatives are looked up. Immutable.
class NodeGlob {
 public:
  // InvalidArgument for an unclosed bracket or brace, or braces that stand for more than
  // kAlternativesMax texts.
  static absl::StatusOr<NodeGlob> Compile(absl::string_view pattern);
  // Matches just `text`, whatever characters it holds.
  static NodeGlob Literal(absl::string_view text);
  static constexpr size_t kAlternativesMax = 1024;

  bool Match(absl::string_view node) const;
  // Set when the pattern is plain text: then an exact look-up does.
  bool is_literal() const { return parts_.empty() && literals_.size() == 1; }
  // Empty unless is_literal().
  const std::string& literal() const { return is_literal() ? literals_.front() : kNoText; }
  // Set when the pattern is one or several plain texts: all that it matches, in byte order, then.
  const std::vector<std::string>* literals() const {
    return parts_.empty() && !any_depth_ ? &literals_ : nullptr;
  }
  // Text that every match starts with: where a scan may begin.
  const std::string& literal_prefix() const { return prefix_; }
  // "**": any number of nodes, none included, but at least one where it ends the pattern.
  bool is_any_depth() const { return any_depth_; }
  // How many texts its braces stand for, at least 1.
  size_t alternative_count() const { return literals_.size() + parts_.size(); }

 private:
  struct Part {
    enum Kind { kText, kAnyCharacter, kAnyText, kBracket };
    Kind kind = kText;
    std::string text;                                   // kText
    bool negated = false;                               // kBracket
    std::vector<std::pair<char32_t, char32_t>> ranges;  // kBracket, both ends included
  };
  using Parts = std::vector<Part>;

  static Part CompileBracket(absl::string_view bracket);
  static Parts CompileParts(absl::string_view text);
  // Whether the part, which is neither kText nor kAnyText, takes the character.
  static bool Takes(const Part& part, char32_t character);
  static bool MatchParts(const Parts& parts, absl::string_view node);
  void SetPrefix();

  static const std::string kNoText;

  // The alternatives of the pattern, braces expanded.
  std::vector<std::string> literals_;  // sorted
  std::vector<Parts> parts_;           // those with '*', '?' or '['
  std::string prefix_;
  bool any_depth_ = false;
};

// A whole dotted pattern.
class Glob {
 public:
  // Limits: 4096 bytes, 128 nodes, kAlternativesMax alternatives. Braces may contain dots
  // ("a.{b.c,d}.e"): they are expanded before splitting. Duplicate expansions are dropped. A text
  // with ';' is a tagged name, never a pattern.
  static absl::StatusOr<Glob> Compile(absl::string_view pattern);
  static constexpr size_t kBytesMax = 4096;
  static constexpr size_t kNodesMax = 128;
  static constexpr size_t kAlternativesMax = 1024;
  static constexpr size_t kTextsMax = 1 << 16;  // alternatives of all nodes of all alternatives

  // Does `name`, a full dotted name, match? Tagged names match only as a whole literal.
  bool Match(absl::string_view name) const;
  // The alternatives after braces with dots are expanded, each a list of nodes, never empty.
  const std::vector<std::vector<NodeGlob>>& alternatives() const { return alternatives_; }
  const std::string& pattern() const { return pattern_; }
  // Set when the pattern is the full name of the one series that it matches.
  bool is_literal() const { return literal_; }

 private:
  std::string pattern_;
  bool literal_ = false;
  std::vector<std::vector<NodeGlob>> alternatives_;
};

// Whether the text has any pattern character at all.
bool HasGlob(absl::string_view text);

}  // namespace shoal
