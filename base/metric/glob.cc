#include "base/metric/glob.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/metric/brace_expansion.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Above every code point: a byte that is not UTF-8 counts as a character of its own.
constexpr char32_t kStrayByte = 0x110000;

// Takes one character off the front of `text`, which is not empty. Overlong forms pass: names are
// validated elsewhere, and here all that counts is that every byte belongs to exactly one
// character.
char32_t TakeCharacter(absl::string_view* text) {
  const auto first = static_cast<unsigned char>(text->front());
  const size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  char32_t character = size == 1 ? first : static_cast<char32_t>(first & (0xff >> (size + 1)));
  bool good = first < 0x80 || (first >= 0xc0 && first < 0xf8 && size <= text->size());
  for (size_t i = 1; good && i < size; ++i) {
    const auto byte = static_cast<unsigned char>((*text)[i]);
    good = (byte & 0xc0) == 0x80;
    character = (character << 6) | (byte & 0x3f);
  }
  text->remove_prefix(good ? size : 1);
  return good ? character : kStrayByte + first;
}

size_t CommonPrefix(absl::string_view a, absl::string_view b) {
  const size_t size = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + size, b.begin()).first -
                             a.begin());
}

// Dots within brackets do not separate nodes.
std::vector<absl::string_view> SplitPattern(absl::string_view text) {
  std::vector<absl::string_view> nodes;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') {
      // Unclosed brackets did not get past the expansion of braces.
      i += std::max<size_t>(BracketSize(text.substr(i)), 1) - 1;
    } else if (text[i] == '.') {
      nodes.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  nodes.push_back(text.substr(start));
  return nodes;
}

// Two pointers: on a mismatch only the newest "**" takes one node more, since whatever an earlier
// one could take instead, the newest can take as well.
bool MatchNodes(absl::Span<const NodeGlob> globs, absl::Span<const absl::string_view> nodes) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t glob = 0;
  size_t node = 0;
  size_t retry_glob = kNone;  // the one after the newest "**"
  size_t retry_node = 0;
  while (true) {
    if (glob < globs.size() && globs[glob].is_any_depth()) {
      if (glob + 1 == globs.size()) return node < nodes.size();
      retry_glob = ++glob;
      retry_node = node;
    } else if (glob < globs.size() && node < nodes.size() && globs[glob].Match(nodes[node])) {
      ++glob;
      ++node;
    } else if (glob == globs.size() && node == nodes.size()) {
      return true;
    } else {
      if (retry_glob == kNone || retry_node == nodes.size()) return false;
      glob = retry_glob;
      node = ++retry_node;
    }
  }
}

}  // namespace

const std::string NodeGlob::kNoText;

NodeGlob NodeGlob::Literal(absl::string_view text) {
  NodeGlob glob;
  glob.literals_.emplace_back(text);
  glob.prefix_ = glob.literals_.front();
  return glob;
}

absl::StatusOr<NodeGlob> NodeGlob::Compile(absl::string_view pattern) {
  NodeGlob glob;
  SHOAL_ASSIGN_OR_RETURN(std::vector<std::string> texts,
                         ExpandBraces(pattern, BraceFilter::kAll, kAlternativesMax));
  for (std::string& text : texts) {
    if (text.find_first_of("*?[") == std::string::npos) {
      glob.literals_.push_back(std::move(text));
    } else {
      glob.parts_.push_back(CompileParts(text));
    }
  }
  std::sort(glob.literals_.begin(), glob.literals_.end());
  glob.any_depth_ = pattern == "**";
  glob.SetPrefix();
  return glob;
}

NodeGlob::Part NodeGlob::CompileBracket(absl::string_view bracket) {
  Part part;
  part.kind = Part::kBracket;
  absl::string_view members = bracket.substr(1, bracket.size() - 2);
  if (members.size() > 1 && members.front() == '!') {
    part.negated = true;
    members.remove_prefix(1);
  }
  while (!members.empty()) {
    const char32_t first = TakeCharacter(&members);
    char32_t last = first;
    // A '-' in front or at the end is a member itself.
    if (members.size() > 1 && members.front() == '-') {
      members.remove_prefix(1);
      last = TakeCharacter(&members);
    }
    if (first <= last) part.ranges.emplace_back(first, last);
  }
  return part;
}

NodeGlob::Parts NodeGlob::CompileParts(absl::string_view text) {
  Parts parts;
  while (!text.empty()) {
    Part part;
    size_t size = 1;
    if (text.front() == '*') {
      size = std::min(text.find_first_not_of('*'), text.size());
      part.kind = Part::kAnyText;
    } else if (text.front() == '?') {
      part.kind = Part::kAnyCharacter;
    } else if (text.front() == '[') {
      size = std::max<size_t>(BracketSize(text), 2);
      part = CompileBracket(text.substr(0, size));
    } else {
      size = std::min(text.find_first_of("*?["), text.size());
      part.text = std::string(text.substr(0, size));
    }
    parts.push_back(std::move(part));
    text.remove_prefix(size);
  }
  return parts;
}

void NodeGlob::SetPrefix() {
  bool first = true;
  const auto narrow = [&](absl::string_view text) {
    prefix_ = std::string(first ? text : text.substr(0, CommonPrefix(prefix_, text)));
    first = false;
  };
  for (const std::string& text : literals_) narrow(text);
  for (const Parts& parts : parts_) narrow(parts.front().text);  // empty unless the part is text
}

bool NodeGlob::Takes(const Part& part, char32_t character) {
  if (part.kind == Part::kAnyCharacter) return true;
  for (const auto& [first, last] : part.ranges) {
    if (first <= character && character <= last) return !part.negated;
  }
  return part.negated;
}

// Two pointers, as in MatchNodes: no pattern of stars makes this exponential.
bool NodeGlob::MatchParts(const Parts& parts, absl::string_view node) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t next = 0;
  absl::string_view rest = node;
  size_t retry_next = kNone;  // the part after the newest '*'
  absl::string_view retry_rest;
  while (true) {
    bool good = false;
    if (next == parts.size()) {
      if (rest.empty()) return true;
    } else if (parts[next].kind == Part::kAnyText) {
      if (++next == parts.size()) return true;
      retry_next = next;
      retry_rest = rest;
      good = true;
    } else if (parts[next].kind == Part::kText) {
      good = absl::StartsWith(rest, parts[next].text);
      if (good) rest.remove_prefix(parts[next++].text.size());
    } else if (!rest.empty()) {
      good = Takes(parts[next], TakeCharacter(&rest));
      ++next;
    }
    if (good) continue;
    if (retry_next == kNone || retry_rest.empty()) return false;
    TakeCharacter(&retry_rest);
    rest = retry_rest;
    next = retry_next;
  }
}

bool NodeGlob::Match(absl::string_view node) const {
  if (!absl::StartsWith(node, prefix_)) return false;
  const auto literal = std::lower_bound(literals_.begin(), literals_.end(), node);
  if (literal != literals_.end() && *literal == node) return true;
  return std::any_of(parts_.begin(), parts_.end(),
                     [node](const Parts& parts) { return MatchParts(parts, node); });
}

absl::StatusOr<Glob> Glob::Compile(absl::string_view pattern) {
  if (pattern.empty()) return absl::InvalidArgumentError("empty pattern");
  if (pattern.size() > kBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("pattern longer than ", kBytesMax, " bytes"));
  }
  Glob glob;
  glob.pattern_ = std::string(pattern);
  if (pattern.find(';') != absl::string_view::npos) {
    glob.literal_ = true;
    std::vector<NodeGlob> nodes;
    for (absl::string_view node : SplitNodes(pattern)) nodes.push_back(NodeGlob::Literal(node));
    glob.alternatives_.push_back(std::move(nodes));
    return glob;
  }
  glob.literal_ = !HasGlob(pattern);
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                         ExpandBraces(pattern, BraceFilter::kWithDots, kAlternativesMax));
  // Each step is bounded on its own; this bounds their product.
  size_t text_count = 0;
  for (const std::string& text : texts) {
    std::vector<NodeGlob> nodes;
    const std::vector<absl::string_view> node_texts = SplitPattern(text);
    if (node_texts.size() > kNodesMax) {
      return absl::InvalidArgumentError(absl::StrCat("pattern of more than ", kNodesMax, " nodes"));
    }
    for (absl::string_view node_text : node_texts) {
      SHOAL_ASSIGN_OR_RETURN(NodeGlob node, NodeGlob::Compile(node_text));
      text_count += node.alternative_count();
      if (text_count > kTextsMax) {
        return absl::InvalidArgumentError(absl::StrCat(
            "pattern \"", pattern, "\": its braces stand for more than ", kTextsMax, " nodes"));
      }
      nodes.push_back(std::move(node));
    }
    glob.alternatives_.push_back(std::move(nodes));
  }
  return glob;
}

bool Glob::Match(absl::string_view name) const {
  if (literal_ || IsTagged(name)) return name == pattern_;
  const std::vector<absl::string_view> nodes = SplitNodes(name);
  return std::any_of(
      alternatives_.begin(), alternatives_.end(),
      [&nodes](const std::vector<NodeGlob>& globs) { return MatchNodes(globs, nodes); });
}

bool HasGlob(absl::string_view text) {
  return text.find_first_of("*?[{") != absl::string_view::npos;
}

}  // namespace shoal
