// Target text -> expression tree: Graphite's grammar, with positions in the errors.
//
//   expression := (call | path) ('|' call)*            a|f(2) is f(a, 2)
//   call       := name '(' [arg (',' arg)*] ')'        arguments, then name=value arguments
//   arg        := string | number | true | false | none | inf | expression
//   path       := element ('.' element)*               globs and {a,b} lists; '\' takes the next
//   symbol as it is
//
// Unlike Graphite, which ignores whatever follows a complete expression, text left over is an
// error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct Expr {
  enum class Kind { kPath, kCall, kString, kInt, kFloat, kBool, kNone };
  Kind kind = Kind::kNone;
  size_t position = 0;  // of its first byte in the target
  std::string text;     // the path, the function's name, or the string between its quotes, verbatim
  int64_t integer = 0;  // kInt
  double number = 0;    // kFloat; kInt as well
  bool truth = false;   // kBool
  std::vector<Expr> args;        // kCall
  std::vector<Expr> named_args;  // kCall
  std::string arg_name;          // of a named argument
};

struct ParseLimits {
  size_t bytes_max = 256 << 10;
  int depth_max = 100;  // calls inside calls, a pipe counts as one
  size_t nodes_max = 20'000;
};

// InvalidArgument: "position 12: expected ')'". The tree is at most `depth_max` deep, so that
// recursion over it is safe.
absl::StatusOr<Expr> ParseTarget(absl::string_view text, const ParseLimits& limits = {});

// The first path of a series' name that shows functions: "scale(a.b,2)" -> "a.b". Reads as far as
// the grammar takes it and ignores the rest, as Graphite does here; empty when there is no path.
std::string FirstPath(absl::string_view name);

}  // namespace shoal
