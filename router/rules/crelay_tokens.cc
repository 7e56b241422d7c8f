#include "router/rules/crelay_tokens.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr size_t kTokensMax = 1 << 20;
constexpr size_t kTokenBytesMax = 8192;

// What carbon-c-relay takes in a word that is not quoted, and the '=' before an instance.
bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("[](){}|\\^?*$&%<>:/,._+-=").find(c) != absl::string_view::npos;
}

}  // namespace

absl::StatusOr<std::vector<CrelayToken>> TokenizeCrelay(absl::string_view text,
                                                        absl::string_view file) {
  std::vector<CrelayToken> tokens;
  int line = 1;
  const auto error = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(file, ":", line, ": ", what));
  };
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '\n') {
      ++line;
      ++at;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r') {
      ++at;
      continue;
    }
    if (c == '#') {
      while (at < text.size() && text[at] != '\n') ++at;
      continue;
    }
    if (tokens.size() >= kTokensMax) return error(absl::StrCat("more than ", kTokensMax, " words"));
    CrelayToken token;
    token.line = line;
    if (c == ';') {
      token.kind = CrelayToken::Kind::kSemicolon;
      token.text = ";";
      ++at;
    } else if (c == '"') {
      token.kind = CrelayToken::Kind::kQuoted;
      for (++at; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n') ++at;
        token.text.push_back(text[at]);
      }
      if (at >= text.size() || text[at] != '"') return error("a quoted text without its end");
      ++at;
      if (token.text.empty()) return error("an empty text");
    } else {
      token.kind = CrelayToken::Kind::kWord;
      while (at < text.size()) {
        if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == ' ') {
          token.text.append("\\ ");
          at += 2;
        } else if (IsWordByte(text[at])) {
          token.text.push_back(text[at++]);
        } else {
          break;
        }
      }
      if (token.text.empty()) {
        return error(absl::StrCat("unexpected \"", absl::CHexEscape(text.substr(at, 1)), "\""));
      }
    }
    if (token.text.size() > kTokenBytesMax) {
      return error(absl::StrCat("a word of more than ", kTokenBytesMax, " bytes"));
    }
    tokens.push_back(std::move(token));
  }
  CrelayToken end;
  end.line = line;
  end.text = "the end of the file";
  tokens.push_back(std::move(end));
  return tokens;
}

}  // namespace shoal
