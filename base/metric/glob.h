// Graphite's patterns: '*', '?', '[abc]', '[a-z]', '[!x]', '{a,b}' within a node, '**' for any depth.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// One node of a pattern ("web[0-9]*"), compiled once, matched in time linear in the text for each alternative. Immutable.
class NodeGlob {
 public:
  // InvalidArgument for an unclosed bracket or brace, or one that expands to more than kAlternativesMax.
  static absl::StatusOr<NodeGlob> Compile(absl::string_view pattern);
  static constexpr size_t kAlternativesMax = 1024;

  bool Match(absl::string_view node) const;
  // Set when the pattern is plain text: then an exact look-up does.
  bool is_literal() const { return literal_; }
  const std::string& literal() const { return text_; }
  // Text that every match starts with: where a scan may begin.
  const std::string& literal_prefix() const { return prefix_; }
  bool is_any_depth() const { return any_depth_; }  // "**"

 private:
  std::string text_;
  std::string prefix_;
  bool literal_ = false;
  bool any_depth_ = false;
  std::vector<std::string> alternatives_;  // braces expanded; '*', '?', '[...]' left
};

// A whole dotted pattern.
class Glob {
 public:
  // Limits: 4096 bytes, 128 nodes. Braces may contain dots ("a.{b.c,d}.e"): they are expanded before splitting. Duplicate
  // expansions are dropped.
  static absl::StatusOr<Glob> Compile(absl::string_view pattern);

  // Does `name`, a full dotted name, match? Tagged names match only as a whole literal.
  bool Match(absl::string_view name) const;
  // The alternatives after braces with dots are expanded, each a list of nodes.
  const std::vector<std::vector<NodeGlob>>& alternatives() const { return alternatives_; }
  const std::string& pattern() const { return pattern_; }
  bool is_literal() const { return literal_; }

 private:
  std::string pattern_;
  bool literal_ = false;
  std::vector<std::vector<NodeGlob>> alternatives_;
};

// Whether the text has any pattern character at all.
bool HasGlob(absl::string_view text);

}  // namespace shoal
