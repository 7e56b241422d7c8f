#include "router/query/target_parser.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "router/query/number_text.h"

namespace shoal {
namespace {

// The tree as text: paths in <>, strings in quotes, calls as f(...).
std::string Shape(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kPath:
      return absl::StrCat("<", expr.text, ">");
    case Expr::Kind::kString:
      return absl::StrCat("'", expr.text, "'");
    case Expr::Kind::kInt:
      return absl::StrCat("int:", expr.integer);
    case Expr::Kind::kFloat:
      return absl::StrCat("float:", FloatText(expr.number));
    case Expr::Kind::kBool:
      return expr.truth ? "true" : "false";
    case Expr::Kind::kNone:
      return "none";
    case Expr::Kind::kCall:
      break;
  }
  std::string out = absl::StrCat(expr.text, "(");
  bool first = true;
  for (const Expr& arg : expr.args) {
    absl::StrAppend(&out, first ? "" : ",", Shape(arg));
    first = false;
  }
  for (const Expr& arg : expr.named_args) {
    absl::StrAppend(&out, first ? "" : ",", arg.arg_name, "=", Shape(arg));
    first = false;
  }
  return out + ")";
}

std::string Parsed(absl::string_view text) {
  const absl::StatusOr<Expr> expr = ParseTarget(text);
  return expr.ok() ? Shape(*expr) : std::string(expr.status().message());
}

TEST(TargetParserTest, ReadsPathsCallsAndLiterals) {
  EXPECT_EQ(Parsed("a.b.c"), "<a.b.c>");
  EXPECT_EQ(Parsed("  a.*.[0-9]?.{x,y}z  "), "<a.*.[0-9]?.{x,y}z>");
  EXPECT_EQ(Parsed("f(a.b, 1, -2.5,1e3, 'x',\"y\" ,TRUE,none,Inf)"),
            "f(<a.b>,int:1,float:-2.5,float:1000.0,'x','y',true,none,float:inf)");
  EXPECT_EQ(Parsed("f ( a , n = 2 , s='x' )"), "f(<a>,n=int:2,s='x')");
  EXPECT_EQ(Parsed("f()"), "f()");
  EXPECT_EQ(Parsed("disk.used;dc=a;host=x"), "<disk.used;dc=a;host=x>");
  EXPECT_EQ(Parsed("f(99999999999999999999)"), "f(float:1e+20)");
  EXPECT_EQ(Parsed("\xc3\xa4.\xe6\xbc\xa2"), "<\xc3\xa4.\xe6\xbc\xa2>");
}

TEST(TargetParserTest, WhatOnlyStartsLikeALiteralIsAPath) {
  EXPECT_EQ(Parsed("f(10.host.cpu,10,5min)"), "f(<10.host.cpu>,int:10,<5min>)");
  EXPECT_EQ(Parsed("f(true.story,none.x,inferno,truex)"),
            "f(<true.story>,<none.x>,<inferno>,<truex>)");
  EXPECT_EQ(Parsed("f(1e5.x)"), "f(<1e5.x>)");
  EXPECT_EQ(Parsed("100"), "<100>");
}

TEST(TargetParserTest, StringsKeepTheirBackslashes) {
  EXPECT_EQ(Parsed(R"x(aliasSub(a,"(^.*$)","\1 A"))x"), R"x(aliasSub(<a>,'(^.*$)','\1 A'))x");
  EXPECT_EQ(Parsed(R"x(f("say \"hi\", (you)"))x"), R"x(f('say \"hi\", (you)'))x");
  EXPECT_EQ(Parsed("f('\"')"), "f('\"')");
}

TEST(TargetParserTest, BackslashTakesTheNextSymbolOfAPath) {
  EXPECT_EQ(Parsed(R"(a\.b.c\(d\)\=)"), "<a.b.c(d)=>");
  EXPECT_EQ(Parsed(R"(a\x)"),
            "position 1: a backslash in a path must be followed by one of (){},.'\"\\|=");
}

TEST(TargetParserTest, PipesAreNestedCalls) {
  EXPECT_EQ(Parsed("a.b | scale(2) |alias('x')"), "alias(scale(<a.b>,int:2),'x')");
  EXPECT_EQ(Parsed("sum(a|scale(2),b)|f()"), "f(sum(scale(<a>,int:2),<b>))");
  EXPECT_EQ(Parsed("a|b"), "position 2: expected a function call after '|', found 'b'");
}

TEST(TargetParserTest, ErrorsTellThePosition) {
  EXPECT_EQ(Parsed(""), "position 0: expected a metric path, found end");
  EXPECT_EQ(Parsed("f(a"), "position 3: expected ',' or ')' in the arguments of f(), found end");
  EXPECT_EQ(Parsed("f(a b)"), "position 4: expected ',' or ')' in the arguments of f(), found 'b'");
  EXPECT_EQ(Parsed("f(a))"), "position 4: unexpected ')' after the end of the expression");
  EXPECT_EQ(Parsed("a..b"), "position 2: expected a metric path, found '.'");
  EXPECT_EQ(Parsed("a."), "position 2: expected a metric path, found end");
  EXPECT_EQ(Parsed("f(,a)"), "position 2: expected a metric path, found ','");
  EXPECT_EQ(Parsed("f(a,)"), "position 4: expected a metric path, found ')'");
  EXPECT_EQ(Parsed("f('x)"), "position 2: this string has no closing quote");
  EXPECT_EQ(Parsed("f(\"x\\\")"), "position 2: this string has no closing quote");
  EXPECT_EQ(Parsed("a.{b,c"), "position 2: this '{' has no closing '}'");
  EXPECT_EQ(Parsed("a.{b,}"), "position 5: an empty alternative in a brace list");
  EXPECT_EQ(Parsed("f(x=1,a)"),
            "position 6: expected name=value: an unnamed argument cannot follow a named one");
  EXPECT_EQ(Parsed("f(\x01)"), "position 2: expected a metric path, found byte 0x01");
}

TEST(TargetParserTest, DepthAndSizeAreBounded) {
  std::string nested;
  for (int i = 0; i < 10'000; ++i) nested += "f(";
  EXPECT_TRUE(absl::StrContains(Parsed(nested), "nested deeper than 100 levels"));
  EXPECT_TRUE(absl::StrContains(Parsed(nested + std::string("a") + std::string(10'000, ')')),
                                "nested deeper"));

  std::string pipes = "a";
  for (int i = 0; i < 10'000; ++i) pipes += "|f()";
  EXPECT_TRUE(absl::StrContains(Parsed(pipes), "nested deeper than 100 levels"));

  // A pipe chain as the argument of a pipe chain: depth adds up however it is built.
  std::string mixed = "a";
  for (int i = 0; i < 60; ++i) mixed = absl::StrCat("f(", mixed, ")|g()");
  EXPECT_TRUE(absl::StrContains(Parsed(mixed), "nested deeper than 100 levels"));

  EXPECT_EQ(Parsed(std::string(1 << 20, 'a')),
            absl::StrCat("longer than ", 256 << 10, " bytes: ", 1 << 20));
  std::string wide = "f(a";
  for (int i = 0; i < 50'000; ++i) wide += ",1";
  EXPECT_TRUE(absl::StrContains(Parsed(wide + ")"), "more than 20000 parts"));
  EXPECT_TRUE(absl::StrContains(Parsed(std::string(10'000, '{')), "nested too deeply"));
}

TEST(TargetParserTest, FirstPathIsFoundInNamesOfSeries) {
  EXPECT_EQ(FirstPath("a.b.c"), "a.b.c");
  EXPECT_EQ(FirstPath("scale(movingAverage(a.b,\"5min\"),2)"), "a.b");
  EXPECT_EQ(FirstPath("summarize(a.b;c=d, \"1h\", \"sum\")"), "a.b;c=d");
  EXPECT_EQ(FirstPath("constantLine(5)"), "");
  EXPECT_EQ(FirstPath("CPU load (5%)"), "CPU");
  EXPECT_EQ(FirstPath("foo (bar)"), "bar");
  EXPECT_EQ(FirstPath("scale(broken(x y),2)"), "scale");
  EXPECT_EQ(FirstPath("(odd)"), "");
}

}  // namespace
}  // namespace shoal
