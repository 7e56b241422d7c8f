#include "router/query/regex_replace.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr size_t kPatternBytesMax = 4096;
constexpr int64_t kPatternMemoryMax = 8 << 20;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsOctal(char c) { return c >= '0' && c <= '7'; }

re2::StringPiece Piece2(absl::string_view text) {
  return re2::StringPiece(text.data(), text.size());
}

// The character of "\n" and its like; 0 when it is none of them.
char SimpleEscape(char c) {
  switch (c) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

// How many bytes the character at `at` takes, so that a search never goes on inside a character.
size_t CharBytes(absl::string_view text, size_t at) {
  size_t bytes = 1;
  while (at + bytes < text.size() && (static_cast<unsigned char>(text[at + bytes]) & 0xc0) == 0x80)
    ++bytes;
  return bytes;
}

}  // namespace

RegexReplace::RegexReplace() = default;
RegexReplace::RegexReplace(RegexReplace&&) noexcept = default;
RegexReplace& RegexReplace::operator=(RegexReplace&&) noexcept = default;
RegexReplace::~RegexReplace() = default;

absl::StatusOr<RegexReplace> RegexReplace::Compile(absl::string_view pattern,
                                                   absl::string_view replacement) {
  if (pattern.size() > kPatternBytesMax || replacement.size() > kPatternBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("longer than ", kPatternBytesMax, " bytes"));
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryMax);
  RegexReplace result;
  result.pattern_ = std::make_unique<RE2>(Piece2(pattern), options);
  if (!result.pattern_->ok()) {
    return absl::InvalidArgumentError(absl::StrCat("regular expression \"", pattern.substr(0, 128),
                                                   "\": ", result.pattern_->error()));
  }
  SHOAL_RETURN_IF_ERROR(Annotate(result.ParseReplacement(replacement),
                                 absl::StrCat("replacement \"", replacement.substr(0, 128), "\"")));
  return result;
}

absl::Status RegexReplace::ParseReplacement(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '\\') {
      const size_t end = std::min(text.find('\\', i), text.size());
      AddText(text.substr(i, end - i));
      i = end;
      continue;
    }
    if (i + 1 == text.size()) return absl::InvalidArgumentError("it ends with a lone backslash");
    const char c = text[i + 1];
    if (c == 'g') {
      const size_t close = text.find('>', i);
      if (i + 2 >= text.size() || text[i + 2] != '<' || close == absl::string_view::npos) {
        return absl::InvalidArgumentError("\\g must be followed by <name>");
      }
      SHOAL_RETURN_IF_ERROR(AddNamedGroup(text.substr(i + 3, close - i - 3)));
      i = close + 1;
    } else if (c == '0' || (i + 3 < text.size() && IsOctal(c) && IsOctal(text[i + 2]) &&
                            IsOctal(text[i + 3]))) {
      // \0, \01, \012: a character by its octal number. Three digits are always that.
      int code = 0;
      size_t end = i + 1;
      while (end < text.size() && end < i + 4 && IsOctal(text[end]))
        code = code * 8 + (text[end++] - '0');
      if (code > 0x7f) return absl::InvalidArgumentError("an octal escape above \\177");
      const char byte = static_cast<char>(code);
      AddText(absl::string_view(&byte, 1));
      i = end;
    } else if (IsDigit(c)) {
      int group = c - '0';
      i += 2;
      if (i < text.size() && IsDigit(text[i])) group = group * 10 + (text[i++] - '0');
      SHOAL_RETURN_IF_ERROR(AddGroup(group));
    } else if (const char simple = SimpleEscape(c); simple != 0) {
      AddText(absl::string_view(&simple, 1));
      i += 2;
    } else if (absl::ascii_isalpha(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(absl::StrCat("unknown escape \\", text.substr(i + 1, 1)));
    } else {
      AddText(text.substr(i, 2));
      i += 2;
    }
  }
  return absl::OkStatus();
}

absl::Status RegexReplace::AddGroup(int group) {
  if (group > pattern_->NumberOfCapturingGroups()) {
    return absl::InvalidArgumentError(absl::StrCat("the pattern has no group ", group));
  }
  groups_used_ = std::max(groups_used_, group);
  pieces_.push_back({.text = "", .group = group});
  return absl::OkStatus();
}

absl::Status RegexReplace::AddNamedGroup(absl::string_view name) {
  int group;
  if (absl::SimpleAtoi(name, &group) && group >= 0) return AddGroup(group);
  const auto& names = pattern_->NamedCapturingGroups();
  const auto it = names.find(std::string(name));
  if (it == names.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pattern has no group \"", name.substr(0, 64), "\""));
  }
  return AddGroup(it->second);
}

void RegexReplace::AddText(absl::string_view text) {
  if (pieces_.empty() || pieces_.back().group >= 0) pieces_.emplace_back();
  pieces_.back().text.append(text.data(), text.size());
}

std::string RegexReplace::Apply(absl::string_view text) const {
  std::string result;
  std::vector<re2::StringPiece> groups(static_cast<size_t>(groups_used_) + 1);
  const re2::StringPiece whole = Piece2(text);
  size_t copied = 0;  // text before this is in the result
  size_t at = 0;      // where the next search begins
  while (at <= text.size() && pattern_->Match(whole, at, text.size(), RE2::UNANCHORED,
                                              groups.data(), static_cast<int>(groups.size()))) {
    const size_t begin = static_cast<size_t>(groups[0].data() - text.data());
    const size_t end = begin + groups[0].size();
    result.append(text.data() + copied, begin - copied);
    for (const Piece& piece : pieces_) {
      if (piece.group < 0) {
        result.append(piece.text);
      } else if (const re2::StringPiece& group = groups[static_cast<size_t>(piece.group)];
                 group.data() != nullptr) {
        result.append(group.data(), group.size());
      }
    }
    copied = end;
    at = end;
    if (begin == end) {
      if (at == text.size()) break;
      at += CharBytes(text, at);
    }
  }
  result.append(text.data() + copied, text.size() - copied);
  return result;
}

}  // namespace shoal
