// glob: a pattern and a name, cut at the first newline. Never hangs or crashes, and agrees with a
// matcher that tries every way there is. That one works on the pattern's text without expanding
// braces, and is exponential, so it has a budget.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/metric/brace_expansion.h"
#include "base/metric/glob.h"
#include "base/metric/metric_name.h"

namespace {

using absl::string_view;

// Thrown out of the slow matcher when the budget is spent; the input then says nothing.
struct Spent {};

class SlowMatcher {
 public:
  explicit SlowMatcher(int budget) : budget_(budget) {}

  // Calls `rest` with what is left of `name` for each way in which `pattern` takes a front part of
  // it; true as soon as one of them returns true.
  using Rest = std::function<bool(string_view)>;
  bool Match(string_view pattern, string_view name, const Rest& rest) {
    if (--budget_ < 0) throw Spent();
    if (pattern.empty()) return rest(name);
    const char c = pattern.front();
    if (c == '*') {
      for (size_t i = 0; i <= name.size(); ++i) {
        if (Match(pattern.substr(1), name.substr(i), rest)) return true;
        if (i < name.size() && name[i] == '.') return false;
      }
      return false;
    }
    if (c == '{') {
      const size_t size = GroupSize(pattern);
      size_t start = 1;
      for (size_t i = 1; i < size; ++i) {
        const size_t skip = Skip(pattern.substr(i));
        if (skip == 0 && (pattern[i] == ',' || i + 1 == size)) {
          const std::string choice(pattern.substr(start, i - start));
          const std::string joined = choice + std::string(pattern.substr(size));
          if (Match(joined, name, rest)) return true;
          start = i + 1;
        }
        if (skip > 0) i += skip - 1;
      }
      return false;
    }
    if (name.empty()) return false;
    if (c == '[') {
      const size_t size = shoal::BracketSize(pattern);
      return InBracket(pattern.substr(1, size - 2), name.front()) &&
             Match(pattern.substr(size), name.substr(1), rest);
    }
    if (c == '?' ? name.front() == '.' : c != name.front()) return false;
    return Match(pattern.substr(1), name.substr(1), rest);
  }

 private:
  // Size of the bracket or brace at the front, 0 when there is none.
  static size_t Skip(string_view text) {
    if (text.front() == '[') return shoal::BracketSize(text);
    if (text.front() == '{') return GroupSize(text);
    return 0;
  }

  static size_t GroupSize(string_view text) {
    size_t i = 1;
    while (text[i] != '}') {
      const size_t skip = Skip(text.substr(i));
      i += skip == 0 ? 1 : skip;
    }
    return i + 1;
  }

  static bool InBracket(string_view members, char c) {
    if (c == '.') return false;
    const bool negated = members.size() > 1 && members.front() == '!';
    if (negated) members.remove_prefix(1);
    while (!members.empty()) {
      const char first = members.front();
      char last = first;
      if (members.size() > 2 && members[1] == '-') {
        last = members[2];
        members.remove_prefix(2);
      }
      members.remove_prefix(1);
      if (first <= c && c <= last) return !negated;
    }
    return negated;
  }

  int budget_;
};

bool IsAscii(string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\n');
  if (cut == string_view::npos) return 0;
  const string_view pattern = input.substr(0, cut);
  const string_view name = input.substr(cut + 1);
  const auto glob = shoal::Glob::Compile(pattern);
  if (!glob.ok()) return 0;
  const bool matched = glob->Match(name);
  SHOAL_CHECK(!glob->alternatives().empty());
  for (const auto& nodes : glob->alternatives()) {
    SHOAL_CHECK(!nodes.empty());
    for (const shoal::NodeGlob& node : nodes) {
      // The prefix holds for everything that matches.
      if (node.Match(name))
        SHOAL_CHECK(name.substr(0, node.literal_prefix().size()) == node.literal_prefix());
    }
  }
  if (glob->is_literal()) SHOAL_CHECK(matched == (name == pattern));
  // The slow matcher knows neither characters of several bytes, nor any depth, nor tags.
  if (!IsAscii(input) || shoal::IsTagged(input)) return 0;
  const auto texts = shoal::ExpandBraces(pattern, shoal::BraceFilter::kAll, 1024);
  if (!texts.ok()) return 0;
  for (const std::string& text : *texts) {
    if (text.find("**") != std::string::npos) return 0;
  }
  try {
    SlowMatcher slow(20000);
    const bool expected = slow.Match(pattern, name, [](string_view rest) { return rest.empty(); });
    SHOAL_CHECK(matched == expected);
  } catch (const Spent&) {
  }
  return 0;
}
