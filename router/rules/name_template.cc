#include "router/rules/name_template.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr int kGroupMax = 99;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The number at text[*at], which moves behind it; past kGroupMax it stays there.
int TakeNumber(absl::string_view text, size_t* at) {
  int number = 0;
  for (; *at < text.size() && IsDigit(text[*at]); ++*at) {
    number = std::min(number * 10 + (text[*at] - '0'), kGroupMax + 1);
  }
  return number;
}

}  // namespace

void NameTemplate::AddText(absl::string_view text) {
  if (pieces_.empty() || pieces_.back().group >= 0) pieces_.emplace_back();
  pieces_.back().text.append(text.data(), text.size());
}

absl::Status NameTemplate::AddGroup(int group, int groups_of_regex, Case letters,
                                    bool dots_to_underscores) {
  if (group < 1 || group > groups_of_regex || group > kGroupMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("group ", group, " is used, the expression has ", groups_of_regex));
  }
  AddText("");
  Piece& piece = pieces_.back();
  piece.group = group;
  piece.letters = letters;
  piece.dots_to_underscores = dots_to_underscores;
  groups_ = std::max(groups_, group);
  return absl::OkStatus();
}

absl::StatusOr<NameTemplate> NameTemplate::ParseCrelay(absl::string_view text,
                                                       const re2::RE2& regex) {
  NameTemplate result;
  const int groups = regex.NumberOfCapturingGroups();
  if (groups == 0) {
    result.AddText(text);
    return result;
  }
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      result.AddText(text.substr(at++, 1));
      continue;
    }
    size_t next = at + 1;
    Case letters = Case::kKeep;
    bool dots = false;
    if (next < text.size() && (text[next] == '_' || text[next] == '^')) {
      letters = text[next++] == '_' ? Case::kLower : Case::kUpper;
    }
    if (next < text.size() && text[next] == '.') {
      dots = true;
      ++next;
    }
    const bool braces = text.substr(next, 2) == "g{";
    if (braces) next += 2;
    if (next < text.size() && IsDigit(text[next])) {
      const int group = TakeNumber(text, &next);
      if (braces) {
        if (next >= text.size() || text[next] != '}') {
          return absl::InvalidArgumentError("\\g{ without }");
        }
        ++next;
      }
      SHOAL_RETURN_IF_ERROR(result.AddGroup(group, groups, letters, dots));
      at = next;
      continue;
    }
    // Not a group: the escaped character itself.
    if (at + 1 >= text.size()) return absl::InvalidArgumentError("a lone backslash at the end");
    result.AddText(text.substr(at + 1, 1));
    at += 2;
  }
  return result;
}

absl::StatusOr<NameTemplate> NameTemplate::ParseCarbon(absl::string_view text,
                                                       const re2::RE2& regex) {
  NameTemplate result;
  const auto& names = regex.NamedCapturingGroups();
  while (!text.empty()) {
    const size_t begin = text.find('<');
    result.AddText(text.substr(0, begin));
    if (begin == absl::string_view::npos) break;
    const size_t end = text.find('>', begin);
    const absl::string_view field =
        end == absl::string_view::npos ? "" : text.substr(begin + 1, end - begin - 1);
    const auto group = names.find(std::string(field));
    if (group == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text.substr(begin), "\" names no field of the input pattern"));
    }
    SHOAL_RETURN_IF_ERROR(
        result.AddGroup(group->second, regex.NumberOfCapturingGroups(), Case::kKeep, false));
    text.remove_prefix(end + 1);
  }
  return result;
}

std::string NameTemplate::Expand(absl::Span<const absl::string_view> groups) const {
  std::string name;
  for (const Piece& piece : pieces_) {
    name += piece.text;
    if (piece.group < 0) continue;
    for (char c : groups[static_cast<size_t>(piece.group)]) {
      const auto byte = static_cast<unsigned char>(c);
      if (piece.letters == Case::kLower) c = absl::ascii_tolower(byte);
      if (piece.letters == Case::kUpper) c = absl::ascii_toupper(byte);
      name.push_back(c == '.' && piece.dots_to_underscores ? '_' : c);
    }
  }
  return name;
}

}  // namespace shoal
