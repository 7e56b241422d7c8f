#include "router/query/target_parser.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr int kBraceDepthMax = 8;
constexpr absl::string_view kSymbols = "(){},.'\"\\|";

unsigned char Byte(char c) { return static_cast<unsigned char>(c); }

bool IsSymbol(char c) { return kSymbols.find(c) != absl::string_view::npos; }
bool IsPathByte(char c) { return Byte(c) > 0x20 && Byte(c) != 0x7f && !IsSymbol(c); }
bool IsNameStart(char c) { return absl::ascii_isalpha(Byte(c)) || c == '_'; }
bool IsNameByte(char c) { return absl::ascii_isalnum(Byte(c)) || c == '_'; }

class Parser {
 public:
  Parser(absl::string_view text, const ParseLimits& limits) : text_(text), limits_(limits) {}

  absl::StatusOr<Expr> ParseAll() {
    SHOAL_ASSIGN_OR_RETURN(Expr expr, ParseExpression(0));
    SkipSpace();
    if (pos_ < text_.size()) {
      return Error(absl::StrCat("unexpected ", Shown(), " after the end of the expression"));
    }
    return expr;
  }

  absl::StatusOr<Expr> ParsePrefix() { return ParseExpression(0); }
  absl::StatusOr<Expr> ParseLeadingPath() {
    SkipSpace();
    return ParsePath();
  }

 private:
  absl::Status Error(absl::string_view message) const { return ErrorAt(pos_, message); }
  absl::Status ErrorAt(size_t position, absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat("position ", position, ": ", message));
  }

  // The byte at the cursor for a message; other bytes than printable ones by their number.
  std::string Shown() const {
    if (pos_ >= text_.size()) return "end";
    const unsigned char c = Byte(text_[pos_]);
    if (absl::ascii_isprint(c)) return absl::StrCat("'", text_.substr(pos_, 1), "'");
    return absl::StrCat("byte 0x", absl::Hex(c, absl::kZeroPad2));
  }

  void SkipSpace() {
    while (pos_ < text_.size() && absl::ascii_isspace(Byte(text_[pos_]))) ++pos_;
  }
  bool AtEnd() const { return pos_ >= text_.size(); }
  bool At(char c) const { return pos_ < text_.size() && text_[pos_] == c; }
  bool Take(char c) {
    SkipSpace();
    if (!At(c)) return false;
    ++pos_;
    return true;
  }

  absl::Status Count(int depth) {
    if (depth > limits_.depth_max) {
      return Error(absl::StrCat("nested deeper than ", limits_.depth_max, " levels"));
    }
    if (++nodes_ > limits_.nodes_max) {
      return Error(absl::StrCat("more than ", limits_.nodes_max, " parts"));
    }
    return absl::OkStatus();
  }

  // A name and the '(' after it; nullopt, and nothing consumed, when the text here is no call.
  std::optional<std::string> TakeCallName() {
    size_t end = pos_;
    if (end >= text_.size() || !IsNameStart(text_[end])) return std::nullopt;
    while (end < text_.size() && IsNameByte(text_[end])) ++end;
    size_t paren = end;
    while (paren < text_.size() && absl::ascii_isspace(Byte(text_[paren]))) ++paren;
    if (paren >= text_.size() || text_[paren] != '(') return std::nullopt;
    std::string name(text_.substr(pos_, end - pos_));
    pos_ = paren + 1;
    return name;
  }

  absl::StatusOr<Expr> ParseExpression(int depth) {
    SkipSpace();
    SHOAL_RETURN_IF_ERROR(Count(depth));
    const size_t position = pos_;
    Expr left;
    // What stands left of n pipes ends up n levels deeper than its own text shows.
    int height = depth;
    if (std::optional<std::string> name = TakeCallName()) {
      SHOAL_ASSIGN_OR_RETURN(left, ParseCall(std::move(*name), position, depth));
      height = deepest_;
    } else {
      SHOAL_ASSIGN_OR_RETURN(left, ParsePath());
    }
    while (true) {
      const size_t before = pos_;
      if (!Take('|')) {
        pos_ = before;
        break;
      }
      SkipSpace();
      const size_t call_position = pos_;
      std::optional<std::string> name = TakeCallName();
      if (!name) return Error(absl::StrCat("expected a function call after '|', found ", Shown()));
      SHOAL_RETURN_IF_ERROR(Count(++height));
      SHOAL_ASSIGN_OR_RETURN(Expr call, ParseCall(std::move(*name), call_position, depth));
      height = std::max(height, deepest_);
      call.args.insert(call.args.begin(), std::move(left));
      left = std::move(call);
    }
    deepest_ = height;
    return left;
  }

  // After the '('. Sets deepest_ to the level of its deepest argument.
  absl::StatusOr<Expr> ParseCall(std::string name, size_t position, int depth) {
    Expr call;
    call.kind = Expr::Kind::kCall;
    call.position = position;
    call.text = std::move(name);
    int deepest = depth;
    deepest_ = depth;
    if (Take(')')) return call;
    while (true) {
      SkipSpace();
      std::optional<std::string> arg_name = TakeArgName();
      if (!arg_name && !call.named_args.empty()) {
        return Error("expected name=value: an unnamed argument cannot follow a named one");
      }
      SHOAL_ASSIGN_OR_RETURN(Expr arg, ParseArg(depth + 1));
      deepest = std::max(deepest, deepest_);
      if (arg_name) {
        arg.arg_name = *std::move(arg_name);
        call.named_args.push_back(std::move(arg));
      } else {
        call.args.push_back(std::move(arg));
      }
      if (Take(',')) continue;
      if (Take(')')) break;
      return Error(absl::StrCat("expected ',' or ')' in the arguments of ", call.text.substr(0, 64),
                                "(), found ", Shown()));
    }
    deepest_ = deepest;
    return call;
  }

  std::optional<std::string> TakeArgName() {
    size_t end = pos_;
    if (end >= text_.size() || !IsNameStart(text_[end])) return std::nullopt;
    while (end < text_.size() && IsNameByte(text_[end])) ++end;
    size_t equals = end;
    while (equals < text_.size() && absl::ascii_isspace(Byte(text_[equals]))) ++equals;
    if (equals >= text_.size() || text_[equals] != '=') return std::nullopt;
    std::string name(text_.substr(pos_, end - pos_));
    pos_ = equals + 1;
    return name;
  }

  absl::StatusOr<Expr> ParseArg(int depth) {
    SkipSpace();
    if (AtEnd()) return Error("expected an argument, found end");
    if (At('"') || At('\'')) {
      SHOAL_RETURN_IF_ERROR(Count(depth));
      deepest_ = depth;
      return ParseString();
    }
    if (std::optional<Expr> literal = TakeNumber(); literal || (literal = TakeKeyword())) {
      SHOAL_RETURN_IF_ERROR(Count(depth));
      deepest_ = depth;
      return *std::move(literal);
    }
    return ParseExpression(depth);
  }

  // A backslash keeps the next byte from ending the string; both stay in the text, for regular
  // expressions need them.
  absl::StatusOr<Expr> ParseString() {
    Expr expr;
    expr.kind = Expr::Kind::kString;
    expr.position = pos_;
    const char quote = text_[pos_];
    size_t end = pos_ + 1;
    while (end < text_.size() && text_[end] != quote) {
      if (text_[end] == '\n' || text_[end] == '\r') break;
      end += text_[end] == '\\' ? 2 : 1;
    }
    if (end >= text_.size() || text_[end] != quote)
      return Error("this string has no closing quote");
    expr.text = std::string(text_.substr(pos_ + 1, end - pos_ - 1));
    pos_ = end + 1;
    return expr;
  }

  // Is the literal that ends at `end` a whole argument? "10.host" and "true.x" are paths.
  bool EndsArg(size_t end) const {
    while (end < text_.size() && absl::ascii_isspace(Byte(text_[end]))) ++end;
    return end >= text_.size() || text_[end] == ',' || text_[end] == ')';
  }

  size_t SkipDigits(size_t at) const {
    while (at < text_.size() && absl::ascii_isdigit(Byte(text_[at]))) ++at;
    return at;
  }

  std::optional<Expr> TakeNumber() {
    size_t at = pos_;
    if (at < text_.size() && text_[at] == '-') ++at;
    size_t end = SkipDigits(at);
    if (end == at) return std::nullopt;
    bool whole = true;
    if (end < text_.size() && text_[end] == '.') {
      const size_t fraction = end + 1;
      end = SkipDigits(fraction);
      if (end == fraction) return std::nullopt;
      whole = false;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '-' || text_[exponent] == '+')) ++exponent;
      end = SkipDigits(exponent);
      if (end == exponent) return std::nullopt;
      whole = false;
    }
    if (!EndsArg(end)) return std::nullopt;

    Expr expr;
    expr.position = pos_;
    const absl::string_view text = text_.substr(pos_, end - pos_);
    const char* first = text.data();
    const char* last = first + text.size();
    if (whole && std::from_chars(first, last, expr.integer).ec == std::errc()) {
      expr.kind = Expr::Kind::kInt;
      expr.number = static_cast<double>(expr.integer);
    } else {
      expr.kind = Expr::Kind::kFloat;
      if (std::from_chars(first, last, expr.number).ec == std::errc::result_out_of_range) {
        // Too large is infinity and too small is zero, as in Python; from_chars does not tell
        // which.
        expr.number = std::strtod(std::string(text).c_str(), nullptr);
      }
    }
    pos_ = end;
    return expr;
  }

  std::optional<Expr> TakeKeyword() {
    size_t end = pos_;
    while (end < text_.size() && absl::ascii_isalpha(Byte(text_[end]))) ++end;
    const absl::string_view word = text_.substr(pos_, end - pos_);
    Expr expr;
    expr.position = pos_;
    if (absl::EqualsIgnoreCase(word, "true") || absl::EqualsIgnoreCase(word, "false")) {
      expr.kind = Expr::Kind::kBool;
      expr.truth = word.size() == 4;
    } else if (absl::EqualsIgnoreCase(word, "none")) {
      expr.kind = Expr::Kind::kNone;
    } else if (absl::EqualsIgnoreCase(word, "inf")) {
      expr.kind = Expr::Kind::kFloat;
      expr.number = std::numeric_limits<double>::infinity();
    } else {
      return std::nullopt;
    }
    if (!EndsArg(end)) return std::nullopt;
    pos_ = end;
    return expr;
  }

  absl::StatusOr<Expr> ParsePath() {
    Expr expr;
    expr.kind = Expr::Kind::kPath;
    expr.position = pos_;
    while (true) {
      const size_t element = expr.text.size();
      SHOAL_RETURN_IF_ERROR(TakePathElement(&expr.text));
      if (expr.text.size() == element) {
        return Error(absl::StrCat("expected a metric path, found ", Shown()));
      }
      if (!At('.')) return expr;
      expr.text.push_back('.');
      ++pos_;
    }
  }

  // Path bytes, escapes and brace lists up to the first byte that is none of them.
  absl::Status TakePathElement(std::string* out) {
    while (!AtEnd()) {
      if (IsPathByte(text_[pos_])) {
        out->push_back(text_[pos_++]);
      } else if (At('\\')) {
        SHOAL_RETURN_IF_ERROR(TakeEscape(out));
      } else if (At('{')) {
        SHOAL_RETURN_IF_ERROR(TakeBraces(out, 1));
      } else {
        break;
      }
    }
    return absl::OkStatus();
  }

  absl::Status TakeEscape(std::string* out) {
    const size_t next = pos_ + 1;
    if (next >= text_.size() || !(IsSymbol(text_[next]) || text_[next] == '=')) {
      return Error("a backslash in a path must be followed by one of (){},.'\"\\|=");
    }
    out->push_back(text_[next]);
    pos_ += 2;
    return absl::OkStatus();
  }

  absl::Status TakeBraces(std::string* out, int depth) {
    if (depth > kBraceDepthMax) return Error("brace lists nested too deeply");
    const size_t open = pos_;
    out->push_back(text_[pos_++]);
    bool empty = true;
    while (!AtEnd()) {
      const char c = text_[pos_];
      if (c == ',' || c == '}') {
        if (empty) return Error("an empty alternative in a brace list");
        out->push_back(c);
        ++pos_;
        if (c == '}') return absl::OkStatus();
        empty = true;
        continue;
      }
      if (c == '{') {
        SHOAL_RETURN_IF_ERROR(TakeBraces(out, depth + 1));
      } else if (c == '\\') {
        SHOAL_RETURN_IF_ERROR(TakeEscape(out));
      } else if (IsPathByte(c) || c == '.') {
        out->push_back(c);
        ++pos_;
      } else {
        return Error(absl::StrCat("unexpected ", Shown(), " in a brace list"));
      }
      empty = false;
    }
    return ErrorAt(open, "this '{' has no closing '}'");
  }

  const absl::string_view text_;
  const ParseLimits limits_;
  size_t pos_ = 0;
  size_t nodes_ = 0;
  int deepest_ = 0;  // level of the deepest part of what was parsed last
};

const Expr* FirstPathOf(const Expr& expr) {
  const Expr* at = &expr;
  while (at->kind == Expr::Kind::kCall) {
    if (at->args.empty()) return nullptr;
    at = &at->args.front();
  }
  return at->kind == Expr::Kind::kPath ? at : nullptr;
}

}  // namespace

absl::StatusOr<Expr> ParseTarget(absl::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("longer than ", limits.bytes_max, " bytes: ", text.size()));
  }
  return Parser(text, limits).ParseAll();
}

std::string FirstPath(absl::string_view name) {
  const ParseLimits limits;
  if (name.size() > limits.bytes_max) return "";
  // A name is free text and need not parse: then its leading path, if any, is what Graphite takes.
  absl::StatusOr<Expr> expr = Parser(name, limits).ParsePrefix();
  if (!expr.ok()) expr = Parser(name, limits).ParseLeadingPath();
  if (!expr.ok()) return "";
  const Expr* path = FirstPathOf(*expr);
  return path == nullptr ? "" : path->text;
}

}  // namespace shoal
